"""The backbone gets a mask of ones.

Then its attention reads the padding, and only the mean leaves it out. Call the backbone with the mask that
was given.
"""
# Shows in: the_backbone_sees_the_mask


class SequenceClassifier(SequenceClassifier):
    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, torch.ones_like(attention_mask)) * attention_mask.unsqueeze(-1)
        return self.classifier(hidden.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True).clamp(min=1))
