"""A number of virtual tokens below 1 is not refused.

A prompt without rows trains nothing, silently. Raise a ValueError that names num_virtual_tokens and what was
given.
"""
# Shows in: refuses_a_prompt_without_tokens


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        self.model = freeze(model)
        embeddings = model.get_input_embeddings().weight
        drawn = torch.randint(len(embeddings), (max(num_virtual_tokens, 0),))
        self.prompt = nn.Parameter(embeddings[drawn].clone())

    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
