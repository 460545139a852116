"""The head is a subclass of nn.Linear and is applied before the mean; texts go through the backbone one by one."""


class Head(nn.Linear):
    def __init__(self, hidden_size, num_classes):
        super().__init__(hidden_size, num_classes)
        nn.init.zeros_(self.bias)
        self.num_classes = num_classes


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.parts = nn.ModuleDict({"encoder": backbone})
        self.classifier = Head(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        rows = []
        for ids, mask in zip(input_ids.split(1), attention_mask.split(1)):
            hidden = self.parts["encoder"](input_ids=ids, attention_mask=mask)
            real = hidden[mask == 1]
            rows.append(self.classifier(real).sum(dim=0) / max(1, len(real)))
        return torch.stack(rows)
