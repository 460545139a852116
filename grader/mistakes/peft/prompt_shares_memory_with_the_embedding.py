"""The prompt is a view of the embedding, not a copy.

Training the prompt then changes the embeddings of real words, in a model that looks frozen. Copy the rows:
.detach().clone().
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        self.prompt = nn.Parameter(model.get_input_embeddings().weight.detach()[:num_virtual_tokens])
