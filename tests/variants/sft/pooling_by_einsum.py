"""Pooling by einsum; the head is applied by hand."""


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.classifier = nn.Linear(hidden_size, num_classes)
        self.body = backbone

    def forward(self, input_ids, attention_mask):
        hidden = self.body(input_ids, attention_mask)
        share = attention_mask / attention_mask.sum(-1, keepdim=True).clamp_min(1)
        pooled = torch.einsum("btd,bt->bd", hidden, share.to(hidden.dtype))
        return F.linear(pooled, self.classifier.weight, self.classifier.bias)
