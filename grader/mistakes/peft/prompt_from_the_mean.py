"""Each virtual token starts as the mean of all embeddings.

The mean is no token that the model knows, and all virtual tokens start alike. Draw one token for each.
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        self.prompt.data = model.get_input_embeddings().weight.detach().mean(dim=0).repeat(num_virtual_tokens, 1)
