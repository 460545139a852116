"""The backbone runs under no_grad.

Then only the head learns. That is linear probing, a method of its own, and not fine-tuning.
"""
# Shows in: gradients_reach_head_and_backbone


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        with torch.no_grad():
            hidden = self.backbone(input_ids, attention_mask) * attention_mask.unsqueeze(-1)
        return self.classifier(hidden.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True).clamp(min=1))
