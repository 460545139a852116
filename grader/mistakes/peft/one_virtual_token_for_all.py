"""Only one vector is learned and repeated.

The prompt has num_virtual_tokens × D numbers, so that each virtual token can say something else.
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, 1)
        self.copies = num_virtual_tokens
