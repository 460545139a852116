"""Only one vector is learned and repeated.

The prompt has num_virtual_tokens × D numbers, so that each virtual token can say something else.
"""


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        self.length = num_virtual_tokens
        self.prompt = nn.Parameter(self.prompt.detach()[:1])

    def forward(self, input_ids, attention_mask):
        length = self.length
        prompt = self.prompt.expand(len(input_ids), length, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
