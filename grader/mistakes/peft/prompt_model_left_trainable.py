"""The wrapped model is not frozen.

Then this is full fine-tuning with some more tokens. Prompt tuning trains the prompt alone.
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        model.requires_grad_(True)
