"""The prompt is a plain tensor.

An optimizer finds parameters only. Wrap it in nn.Parameter.
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        tensor = self.prompt.detach().clone()
        del self.prompt
        self.prompt = tensor
