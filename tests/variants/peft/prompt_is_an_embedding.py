"""The prompt is an nn.Embedding, as in PEFT; the model is called with keywords in another order."""


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        if num_virtual_tokens <= 0:
            raise ValueError("num_virtual_tokens must be positive")
        self.base_model = model
        for parameter in self.base_model.parameters():
            parameter.requires_grad_(False)
        table = model.get_input_embeddings()
        ids = torch.randint(0, table.num_embeddings, [num_virtual_tokens])
        self.prompt = nn.Embedding(num_virtual_tokens, table.embedding_dim).to(table.weight.dtype)
        self.prompt.weight = nn.Parameter(table.weight.data[ids].clone())

    def forward(self, input_ids, attention_mask):
        size, n = input_ids.size(0), self.prompt.num_embeddings
        virtual = self.prompt(torch.arange(n, device=input_ids.device)).unsqueeze(0).repeat(size, 1, 1)
        embeds = torch.cat((virtual, self.base_model.get_input_embeddings()(input_ids)), 1)
        mask = torch.cat((torch.ones(size, n, dtype=attention_mask.dtype), attention_mask), 1)
        return self.base_model(attention_mask=mask, inputs_embeds=embeds)[:, -input_ids.size(1) :, :]
