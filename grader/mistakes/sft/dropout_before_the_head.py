"""A dropout stands between the mean and the head.

In train mode the logits are then random. Heads of libraries often have one; the contract's classifier is the
mean and one linear layer.
"""
# Shows in: logits_come_from_the_mean_of_real_tokens


class SequenceClassifier(SequenceClassifier):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__(backbone, hidden_size, num_classes)
        self.dropout = nn.Dropout(0.1)

    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        mean = hidden.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.classifier(self.dropout(mean))
