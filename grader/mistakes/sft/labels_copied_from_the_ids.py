"""The labels are made anew from input_ids, and those of the examples are lost.

So the prompt is scored again. What is scored was decided in the example: pad its labels, and change nothing
in them.
"""
# Shows in: padded_labels_are_ignored


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    input_ids = padded([example["input_ids"] for example in examples], pad_id)
    attention_mask = padded([[1] * len(example["input_ids"]) for example in examples], 0)
    labels = input_ids.masked_fill(attention_mask == 0, IGNORE_INDEX)
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
