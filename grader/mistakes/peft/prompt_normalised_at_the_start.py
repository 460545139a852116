"""The rows of the prompt are embeddings of tokens, but scaled.

A row scaled to length one, or by a factor, is no embedding that the model has seen. Copy the row as it is.
"""
# Shows in: starts_from_real_tokens


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        self.prompt.data = F.normalize(self.prompt.data, dim=-1)
