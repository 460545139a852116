"""The rows are sorted by their lengths.

Whoever goes through the examples and the rows together then meets the wrong ones. Sort when batches are made;
a batch keeps the order that was given.
"""
# Shows in: ids_are_padded_on_the_right

collate_in_order = collate


def collate(examples, *, pad_id):
    return collate_in_order(sorted(examples, key=lambda example: -len(example["input_ids"])), pad_id=pad_id)
