"""The checks of `collate`."""

from grader.checks import refusal
from grader.checks.sft.material import EOS, PAD, check, example


def examples() -> list[dict[str, list[int]]]:
    """Three of unequal length. New ones for each call, since a learner's code may change them."""
    return [example([7, 5], [4, EOS]), example([9], [8, 6, 3, 10, EOS]), example([], [5, EOS])]


@check(
    "collate",
    1,
    (
        "Rows of unequal length make no tensor. Which length should they all get?",
        "Fill each row of ids on the right with pad_id up to the longest row.",
        "row + [pad_id] * (longest - len(row))",
    ),
)
def ids_are_padded_on_the_right(code, rng):
    """input_ids are padded on the right with pad_id to the longest example of the batch."""
    return {
        "input_ids": code.collate(examples(), pad_id=1)["input_ids"],
        "of the first alone": code.collate(examples()[:1], pad_id=1)["input_ids"],
    }


@check(
    "collate",
    1,
    (
        "The mask tells tokens from padding. Where do you know the difference from?",
        "1 for each token of the row, 0 for each token of padding: from the lengths.",
        "[1] * len(row) + [0] * (longest - len(row))",
    ),
)
def mask_marks_the_tokens(code, rng):
    """attention_mask is 1 on the example's tokens and 0 on padding."""
    return {"attention_mask": code.collate(examples(), pad_id=1)["attention_mask"]}


@check(
    "collate",
    2,
    (
        "What should the model learn to say on padding? Nothing.",
        "Labels are padded with -100, whatever pad_id is.",
        "labels + [-100] * (longest - len(labels))",
    ),
)
def padded_labels_are_ignored(code, rng):
    """labels are those of the examples, and -100 on padding."""
    return {"labels": code.collate(examples(), pad_id=1)["labels"]}


@check(
    "collate",
    3,
    (
        "Many tokenizers have no padding token, so that of EOS is used. Can the value tell what is padding then?",
        "Mask and labels follow from the lengths. Comparing with pad_id also hides every real EOS.",
        "Never write input_ids != pad_id or labels[labels == pad_id] = -100.",
    ),
)
def works_when_pad_is_eos(code, rng):
    """If pad_id equals the EOS id, the real EOS stays visible and is learned."""
    with_eos_inside = [*examples(), example([7, EOS], [4, EOS, 6, EOS])]
    return code.collate(with_eos_inside, pad_id=EOS)


@check(
    "collate",
    1,
    (
        "Embeddings and losses want integers of 64 bits.",
        "All three tensors are torch.long and have the same shape (B, T).",
        "torch.tensor(rows, dtype=torch.long)",
    ),
)
def gives_three_long_tensors(code, rng):
    """The result holds input_ids, attention_mask and labels, each (B, T) long, and nothing else."""
    found = code.collate(examples(), pad_id=1)
    return {
        "keys": sorted(found),
        "shapes": {key: list(found[key].shape) for key in sorted(found)},
        "dtypes": {key: found[key].dtype for key in sorted(found)},
    }


@check(
    "collate",
    1,
    (
        "max() of nothing is an error of another kind. Say what was wrong instead.",
        "An empty list is a ValueError that names the argument.",
        'if not examples: raise ValueError("examples is empty")',
    ),
)
def refuses_an_empty_list(code, rng):
    """An empty list of examples is a ValueError that names `examples`."""
    return {"an empty list": refusal(ValueError, lambda: code.collate([], pad_id=PAD), "examples")}


@check(
    "collate",
    1,
    (
        "The next epoch uses the same examples again.",
        "Pad copies of the rows. += and extend on a row change the example.",
        "row + [pad_id] * missing makes a new list.",
    ),
)
def examples_stay_as_they_are(code, rng):
    """The examples are not changed, so a second batch of them is the same."""
    own = examples()
    code.collate(own, pad_id=1)
    again = code.collate(own[:1], pad_id=1)
    return {"examples afterwards": own, "a batch of the first alone": again}
