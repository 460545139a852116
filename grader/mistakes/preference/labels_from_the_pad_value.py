"""Every label that equals pad_id is ignored.

If pad_id is the id of EOS, the end of an answer is never scored, and DPO does not see which answer stops.
Ignore the padding by the lengths.
"""
# Shows in: pad_may_be_eos


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
        ids.append(prompt + answer + [pad_id] * missing)
        masks.append([1] * (len(prompt) + len(answer)) + [0] * missing)
        labels.append([IGNORE_INDEX] * len(prompt) + answer + [IGNORE_INDEX] * missing)
        labels[-1] = [IGNORE_INDEX if label == pad_id else label for label in labels[-1]]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(masks), "labels": torch.tensor(labels)}
