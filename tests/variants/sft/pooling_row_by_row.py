"""Pooling row by row with a boolean index."""


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.add_module("backbone", backbone)
        self.add_module("classifier", nn.Linear(in_features=hidden_size, out_features=num_classes, bias=True))

    def forward(self, input_ids, attention_mask):
        means = []
        for states, mask in zip(self.backbone(input_ids, attention_mask), attention_mask.bool()):
            means.append(states[mask].mean(dim=0) if mask.any() else torch.zeros_like(states[0]))
        return self.classifier(torch.stack(means))
