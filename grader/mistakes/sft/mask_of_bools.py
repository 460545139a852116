"""The attention mask holds bools.

The contract says long, as the libraries' tokenizers give it. Code that adds up the mask, or puts ones in
front of it, counts on numbers.
"""
# Shows in: gives_three_long_tensors

right_collate = collate


def collate(examples, *, pad_id):
    batch = right_collate(examples, pad_id=pad_id)
    batch["attention_mask"] = batch["attention_mask"].bool()
    return batch
