"""The inputs are cut at max_length, but the labels are not.

Two lists of unequal length cannot be batched, or worse, are padded apart. Cut both in the same way.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
