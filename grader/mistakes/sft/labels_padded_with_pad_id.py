"""The labels are padded with pad_id instead of -100.

Then the model is taught to say padding after the end of every short answer, and padding dilutes the mean. Pad
labels with -100.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 0),
        "labels": padded([example["labels"] for example in examples], pad_id),
    }
