"""The hidden state of the first token is used.

That is BERT's habit: its first token reads all others, and the head is trained on it. In a causal model the
first token has read itself alone. The contract takes the mean.
"""


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        return self.classifier(self.backbone(input_ids, attention_mask)[:, 0])
