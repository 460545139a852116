"""The prompt does not start from embeddings of real tokens.

Random numbers, a token with noise added, or an average of some tokens are nothing that the model has seen.
Each row is the copy of one row of the embedding. Lester et al. find that such a start works better.
"""
# Shows in: starts_from_real_tokens


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        nn.init.normal_(self.prompt)
