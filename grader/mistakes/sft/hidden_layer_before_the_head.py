"""A dense layer and a tanh stand between the mean and the head.

RoBERTa's classification head has them. The contract's head is one linear layer on the mean, so that what is
learned is learned in the backbone.
"""
# Shows in: has_a_linear_head


class SequenceClassifier(SequenceClassifier):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__(backbone, hidden_size, num_classes)
        self.dense = nn.Linear(hidden_size, hidden_size)

    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        mean = hidden.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.classifier(torch.tanh(self.dense(mean)))
