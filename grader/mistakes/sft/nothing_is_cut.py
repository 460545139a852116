"""max_length is ignored.

One long example then sets the width, and the memory, of its whole batch. Cut inputs and labels at max_length.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
