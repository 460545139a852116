"""The head has no bias.

The bias holds how frequent the classes are. The contract's head is a plain nn.Linear, which has one.
"""


class SequenceClassifier(SequenceClassifier):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__(backbone, hidden_size, num_classes)
        self.classifier = nn.Linear(hidden_size, num_classes, bias=False)
