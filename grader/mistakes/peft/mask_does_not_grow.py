"""The mask keeps its old length.

The model gets T + n embeddings and a mask of length T, and fails or guesses. Put n ones in front of the mask.
"""
# Shows in: the_mask_grows_by_ones


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=attention_mask,
        )
        return logits[:, length:]
