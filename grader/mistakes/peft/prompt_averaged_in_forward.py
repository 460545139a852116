"""The rows of the prompt are averaged before they are used.

Then all virtual tokens say the same, and only their mean learns. Each row stands in the sequence as it is.
"""
# Shows in: logits_of_the_real_positions


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.mean(dim=0).expand(len(input_ids), length, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
