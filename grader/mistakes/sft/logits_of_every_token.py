"""There are logits for each token, not for each text.

The head is applied to the hidden states as they are, as in tagging. Take the mean over real tokens first, so
that one vector is left of each text.
"""
# Shows in: logits_come_from_the_mean_of_real_tokens


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        return self.classifier(self.backbone(input_ids, attention_mask))
