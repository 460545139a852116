"""The rows of the examples themselves are filled up.

row += changes the caller's example, so the next epoch meets padding as if it were text. Make new lists.
"""


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")
    longest = max(len(example["input_ids"]) for example in examples)
    masks = []
    for example in examples:
        missing = longest - len(example["input_ids"])
        masks.append([1] * len(example["input_ids"]) + [0] * missing)
        example["input_ids"] += [pad_id] * missing
        example["labels"] += [IGNORE_INDEX] * missing
    return {
        "input_ids": torch.tensor([example["input_ids"] for example in examples]),
        "attention_mask": torch.tensor(masks),
        "labels": torch.tensor([example["labels"] for example in examples]),
    }
