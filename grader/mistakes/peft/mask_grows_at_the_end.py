"""The ones of the prompt stand behind the given mask.

The prompt stands in front, so its ones do, too. At the end they make padding visible and hide tokens.
"""


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([attention_mask, seen], dim=1),
        )
        return logits[:, length:]
