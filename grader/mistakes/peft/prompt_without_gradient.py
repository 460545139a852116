"""The prompt gets no gradient.

Either the prompt is detached, or the frozen model runs under no_grad. Frozen means requires_grad=False: the
gradient must pass through the model to reach the prompt at its input.
"""


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.detach().expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
