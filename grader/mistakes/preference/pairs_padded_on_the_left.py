"""The rows are padded on the left.

Left padding is for generation. Here a row starts at position 0, so that its tokens keep their positions;
padding comes last.
"""


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError("pairs is empty")
    for pair in pairs:
        if not pair["chosen_ids"] or not pair["rejected_ids"]:
            raise ValueError("an answer is empty")
        if pair["chosen_ids"] == pair["rejected_ids"]:
            raise ValueError("the two answers of a pair are equal")
    rows = [(pair["prompt_ids"], pair[name]) for name in ("chosen_ids", "rejected_ids") for pair in pairs]
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids, masks, labels = [], [], []
    for prompt, answer in rows:
        missing = longest - len(prompt) - len(answer)
        ids.append([pad_id] * missing + prompt + answer)
        masks.append([0] * missing + [1] * (len(prompt) + len(answer)))
        labels.append([IGNORE_INDEX] * (missing + len(prompt)) + answer)
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(masks), "labels": torch.tensor(labels)}
