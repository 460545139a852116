"""The hidden state of the first token is used.

That is BERT's habit, whose first token is made for it. In a causal model the first token has seen nothing.
The contract takes the mean.
"""


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        return self.classifier(self.backbone(input_ids, attention_mask)[:, 0])
