"""A prompt longer than the vocabulary fails: no token is taken twice.

A permutation of the vocabulary, or its first rows, end where the vocabulary ends. Models of letters have fewer than
a hundred tokens. Two rows may start from the same token.
"""
# Shows in: works_with_one_of_each


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        embeddings = model.get_input_embeddings().weight
        drawn = torch.randperm(len(embeddings))[:num_virtual_tokens]
        self.prompt = nn.Parameter(embeddings[drawn].detach().clone())
