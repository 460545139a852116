"""The prompt starts as zeros.

Zero is no embedding that the model has ever seen, and all virtual tokens start alike. Start each from the
embedding of a real token.
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        nn.init.zeros_(self.prompt)
