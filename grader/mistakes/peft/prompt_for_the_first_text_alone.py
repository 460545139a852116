"""Only the first text of the batch gets the prompt.

The others see zeros in its place. The same prompt stands before every text: expand it over the batch.
"""
# Shows in: logits_of_the_real_positions


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = F.pad(self.prompt[None], (0, 0, 0, 0, 0, len(input_ids) - 1))
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
