"""The logits of the prompt are not dropped.

Labels belong to real tokens, so loss and labels no longer fit. Return logits[:, num_virtual_tokens:].
"""


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits
