"""An example whose labels are all -100 is accepted.

It costs time and teaches nothing, and a batch of such examples gives a loss of 0 / 0. Raise a ValueError when
no label is left.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    return {"input_ids": input_ids, "labels": labels}
