"""The prompt is added to the embeddings of the first tokens.

Prompt tuning puts new vectors in front of the text. It does not change those of its words.
"""


class PromptTuning(PromptTuning):
    def forward(self, input_ids, attention_mask):
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)
        tokens = self.model.get_input_embeddings()(input_ids)
        reach = min(length, tokens.shape[1])
        tokens = torch.cat([tokens[:, :reach] + prompt[:, :reach], tokens[:, reach:]], dim=1)
        seen = attention_mask.new_ones(len(input_ids), length)
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]
