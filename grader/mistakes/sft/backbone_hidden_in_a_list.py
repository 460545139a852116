"""The backbone is kept in a plain list.

PyTorch does not look into lists: no optimizer finds the backbone's parameters, and to(device) leaves them
behind. Assign it as an attribute.
"""


class SequenceClassifier(SequenceClassifier):
    def __init__(self, backbone, hidden_size, num_classes):
        nn.Module.__init__(self)
        self.hidden = [backbone]
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        hidden = self.hidden[0](input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        return self.classifier(hidden.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True).clamp(min=1))
