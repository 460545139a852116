"""The rows of the prompt are scaled to length one before they are used.

An embedding's length carries meaning, and the model was trained with lengths of its own. The parameter goes
into the sequence as it is.
"""
# Shows in: logits_of_the_real_positions


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = F.normalize(self.prompt, dim=-1).expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
