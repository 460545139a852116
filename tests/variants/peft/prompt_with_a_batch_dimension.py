"""The prompt has a leading dimension of one and starts from the first tokens of the vocabulary."""


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        if num_virtual_tokens not in range(1, 10**6):
            raise ValueError(f"num_virtual_tokens={num_virtual_tokens} is not possible, 1 is the least")
        self.model = model.requires_grad_(False)
        table = model.get_input_embeddings().weight.detach()
        rows = [table[i % len(table)] for i in range(num_virtual_tokens)]
        self.soft = nn.Parameter(torch.stack(rows)[None])

    def forward(self, input_ids, attention_mask):
        rows = []
        for ids, mask in zip(input_ids, attention_mask):
            embeds = torch.cat([self.soft[0], self.model.get_input_embeddings()(ids)])
            ones = torch.ones(self.soft.shape[1], dtype=torch.long)
            rows.append(self.model(None, torch.cat([ones, mask])[None], inputs_embeds=embeds[None])[0])
        return torch.stack(rows)[:, self.soft.shape[1] :]
