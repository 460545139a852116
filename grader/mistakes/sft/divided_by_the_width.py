"""The masked sum is divided by the width of the batch.

The padding is not in the sum, but it is in the divisor, so short texts get small vectors. Divide by
mask.sum(dim=1).
"""


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        return self.classifier(hidden.mean(dim=1))
