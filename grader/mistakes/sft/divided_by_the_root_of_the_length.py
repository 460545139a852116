"""The sum is divided by the square root of the number of tokens.

Some libraries offer that as a way to pool. It lets long texts have larger vectors; the contract takes the
mean.
"""
# Shows in: logits_come_from_the_mean_of_real_tokens


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        return self.classifier(hidden.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True).clamp(min=1).sqrt())
