"""Padding is appended to the answers of the pairs.

+= changes the list that was given, so in the next epoch the padding is part of the answer and scored. Make a
new list.
"""
# Shows in: pairs_stay_as_they_are


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
        masks.append([1] * (len(prompt) + len(answer)) + [0] * missing)
        labels.append([IGNORE_INDEX] * len(prompt) + answer + [IGNORE_INDEX] * missing)
        answer += [pad_id] * missing
        ids.append(prompt + answer)
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(masks), "labels": torch.tensor(labels)}
