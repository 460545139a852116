"""The prompt starts from the first nn.Embedding of the model, which is not that of the tokens.

Positions and token types are embedded, too, and may come first. The method get_input_embeddings() gives the right
one.
"""
# Shows in: starts_from_real_tokens


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        embeddings = next(module for module in model.modules() if isinstance(module, nn.Embedding)).weight
        drawn = torch.randint(len(embeddings), (num_virtual_tokens,))
        self.prompt = nn.Parameter(embeddings[drawn].detach().clone())
