"""Tensors of padding are filled row by row; the label at position 0 is never set, and the dict holds more than is asked for."""


class BadPairs(ValueError):
    pass


def preference_batch(pairs, *, pad_id):
    if len(pairs) == 0:
        raise BadPairs("no pairs were given")
    rows = []
    for key in ("chosen_ids", "rejected_ids"):
        for pair in pairs:
            if len(pair[key]) == 0 or tuple(pair["chosen_ids"]) == tuple(pair["rejected_ids"]):
                raise BadPairs("two answers that differ are needed, and none may be empty")
            rows.append((len(pair["prompt_ids"]), list(pair["prompt_ids"]) + list(pair[key])))
    shape = len(rows), max(len(row) for _, row in rows)
    ids, mask, labels = torch.full(shape, pad_id), torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
    for i, (start, row) in enumerate(rows):
        ids[i, : len(row)] = torch.as_tensor(row)
        mask[i, : len(row)] = 1
        labels[i, max(start, 1) : len(row)] = ids[i, max(start, 1) : len(row)]
    return {"labels": labels, "attention_mask": mask, "input_ids": ids, "lengths": mask.sum(dim=1)}
