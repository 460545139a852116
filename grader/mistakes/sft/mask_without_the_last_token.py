"""The mask is 0 on the last token of each row.

The lengths are counted one too small, so EOS, which should be learned, is hidden from the model. A row of n
tokens has n ones.
"""
# Shows in: mask_marks_the_tokens


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * (len(example["input_ids"]) - 1) + [0] for example in examples], 0),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
