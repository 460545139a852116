"""A row that is all padding gives NaN gradients, though its logits are right.

torch.where chooses after the division, and the gradient of 0 / 0 flows back as NaN from the branch that was
not chosen. Divide by at least 1 instead.
"""
# Shows in: a_row_of_padding_gives_no_nan


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        tokens = attention_mask.sum(dim=1, keepdim=True)
        mean = hidden.sum(dim=1) / tokens
        return self.classifier(torch.where(tokens > 0, mean, torch.zeros_like(mean)))
