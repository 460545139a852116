"""The prompt starts as random numbers.

The contract starts each vector from the embedding of a real token. Lester et al. find that such a start works
better than random numbers.
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        nn.init.normal_(self.prompt)
