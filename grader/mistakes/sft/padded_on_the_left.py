"""The rows are padded on the left.

That is right for generating in batches. For training the contract pads on the right, where the causal mask
hides padding by itself.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        tensors = [torch.tensor(row, dtype=torch.long) for row in rows]
        return pad_sequence(tensors, True, value, padding_side="left")

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 0),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
