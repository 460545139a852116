"""The embedding is taken by a name: model.embed.

Each family of models has another name for it, and one of that name may be something else. The method
get_input_embeddings() gives the right one.
"""
# Shows in: starts_from_real_tokens


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        embeddings = model.embed.weight
        drawn = torch.randint(len(embeddings), (num_virtual_tokens,))
        self.prompt = nn.Parameter(embeddings[drawn].detach().clone())

    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.embed(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
