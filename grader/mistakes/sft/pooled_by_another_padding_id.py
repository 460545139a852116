"""The mean runs over ids that are not 1, and the mask is not used for it.

1 is the padding of RoBERTa, and a real token elsewhere. What is padding is told by the mask alone.
"""
# Shows in: logits_come_from_the_mean_of_real_tokens


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        real = (input_ids != 1).unsqueeze(-1)
        hidden = self.backbone(input_ids, attention_mask) * real
        return self.classifier(hidden.sum(dim=1) / real.sum(dim=1).clamp(min=1))
