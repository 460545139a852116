"""Answers of the same length are taken to be equal.

A length says nothing about tokens. Compare the lists themselves.
"""
# Shows in: refuses_what_cannot_be_compared


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError("pairs is empty")
    for pair in pairs:
        if not pair["chosen_ids"] or not pair["rejected_ids"]:
            raise ValueError("an answer is empty")
        if len(pair["chosen_ids"]) == len(pair["rejected_ids"]):
            raise ValueError("the two answers of a pair are equal")
    rows = [(pair["prompt_ids"], pair[name]) for name in ("chosen_ids", "rejected_ids") for pair in pairs]
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids, masks, labels = [], [], []
    for prompt, answer in rows:
        missing = longest - len(prompt) - len(answer)
        ids.append(prompt + answer + [pad_id] * missing)
        masks.append([1] * (len(prompt) + len(answer)) + [0] * missing)
        labels.append([IGNORE_INDEX] * len(prompt) + answer + [IGNORE_INDEX] * missing)
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(masks), "labels": torch.tensor(labels)}
