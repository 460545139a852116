"""The rows of the prompt stand in another order than in the parameter.

Positions count: row 0 of the prompt is the first token of the sequence. Join prompt and tokens by torch.cat
along dim 1, without reordering.
"""
# Shows in: logits_of_the_real_positions


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.flip(0).expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
