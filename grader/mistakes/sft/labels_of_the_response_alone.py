"""The labels hold the response alone, without a place for the prompt.

Labels and inputs must have the same length, position by position. Put -100 in the place of each prompt token.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = target[: max(0, max_length - len(prompt_ids))]
    if not labels:
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
