"""The rows are cut to the shortest example.

zip() ends with its shortest argument, so the ends of the other answers, and their EOS, are lost. Pad to the
longest.
"""
# Shows in: ids_are_padded_on_the_right


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def rows(key):
        return torch.tensor(list(zip(*(example[key] for example in examples)))).T

    input_ids = rows("input_ids")
    return {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids), "labels": rows("labels")}
