"""The hidden state at position -1 is used.

In a batch that is padded on the right this is padding for all but the longest text. The contract takes the
mean over real tokens.
"""


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        return self.classifier(self.backbone(input_ids, attention_mask)[:, -1])
