"""The backbone is frozen in the constructor.

Training the head alone is linear probing. Whether the backbone is trained is the caller's choice: leave
requires_grad alone.
"""
# Shows in: gradients_reach_head_and_backbone


class SequenceClassifier(SequenceClassifier):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__(backbone.requires_grad_(False), hidden_size, num_classes)
