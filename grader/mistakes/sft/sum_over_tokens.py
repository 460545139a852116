"""The hidden states are added up, not averaged.

A long text then has a larger vector than a short one, and the head learns the length. Divide by the number of
real tokens.
"""


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        return self.classifier(hidden.sum(dim=1))
