"""The attention mask is 1 everywhere.

Then padding is read like text, and the same example gives another result in each batch. The mask is 0 on
padding.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 1),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
