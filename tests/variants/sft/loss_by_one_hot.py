"""The loss by one-hot targets, in float64 and in another order of sums; batches by stacking padded rows."""


def sft_loss(logits, labels):
    logits = logits.double()[..., :-1, :]
    target = labels[..., 1:]
    scored = (target != IGNORE_INDEX).double()
    onehot = F.one_hot(target.clamp(min=0), logits.shape[-1])
    nll = torch.logsumexp(logits, -1) - torch.einsum("btv,btv->bt", logits, onehot.double())
    return torch.einsum("bt,bt->", nll, scored) / scored.sum().clamp_min(1)


def collate(examples, *, pad_id):
    if len(examples) < 1:
        raise ValueError(f"examples: at least one is needed, {len(examples)} given")
    width = max(map(len, (e["input_ids"] for e in examples)))
    columns = {"input_ids": pad_id, "labels": IGNORE_INDEX, "attention_mask": 0}
    full = [{**e, "attention_mask": [1] * len(e["labels"])} for e in examples]
    return {
        key: torch.stack([F.pad(torch.LongTensor(e[key]), (0, width - len(e[key])), value=value) for e in full])
        for key, value in columns.items()
    }


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    room = max_length - len(prompt_ids)
    if room <= 0:
        raise ValueError(f"the prompt ({len(prompt_ids)} ids) leaves no room for an answer within {max_length}")
    answer = (list(response_ids) + [eos_id])[:room]
    return dict(input_ids=list(prompt_ids) + answer, labels=[IGNORE_INDEX for _ in prompt_ids] + answer)
