"""An empty list fails with a message that does not name it.

max() of an empty list is a ValueError too, but “iterable argument is empty” tells nobody that examples was
empty. Check first.
"""


def collate(examples, *, pad_id):
    max(len(example["input_ids"]) for example in examples)

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 0),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
