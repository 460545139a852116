"""The ids are padded with 0, whatever pad_id is.

0 is what pad_sequence takes if it is told nothing, and the id of a real token in many vocabularies. Pass
padding_value=pad_id.
"""
# Shows in: ids_are_padded_on_the_right


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    return {
        "input_ids": padded([example["input_ids"] for example in examples], 0),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 0),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }
