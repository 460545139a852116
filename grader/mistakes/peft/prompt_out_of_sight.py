"""No token can see the prompt: it stands behind the tokens, or its mask is 0.

In a causal model no token sees what comes after it, and none sees what the mask hides. The prompt stands in
front, and the mask grows by ones.
"""


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([tokens, prompt], dim=1),
            attention_mask=torch.cat([attention_mask, seen], dim=1),
        )
        return logits[:, :-length]
