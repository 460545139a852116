"""The prompt is a list of parameters, one for each virtual token, all started from one token; it is kept in float32."""


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        if num_virtual_tokens < 1:
            raise ValueError(f"at least one token is needed, got num_virtual_tokens = {num_virtual_tokens}")
        super().__init__()
        self.model, self.embedding = freeze(model), model.get_input_embeddings()
        start = self.embedding(torch.tensor(3)).detach().float()
        self.rows = nn.ParameterList(start.clone() for _ in range(num_virtual_tokens))
        self.register_buffer("start", start)

    def forward(self, input_ids, attention_mask):
        tokens = self.embedding(input_ids)
        prompt = torch.stack(tuple(self.rows)).to(tokens.dtype)
        texts = torch.stack([torch.cat([prompt, text]) for text in tokens])
        mask = F.pad(attention_mask, (len(self.rows), 0), value=1)
        return self.model(None, mask, inputs_embeds=texts).narrow(1, len(self.rows), input_ids.shape[1])
