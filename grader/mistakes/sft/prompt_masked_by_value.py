"""Every token that also occurs in the prompt is ignored in the response.

An answer repeats words of its question all the time. What is ignored follows from the place: the first
len(prompt_ids) labels.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [IGNORE_INDEX if token in prompt_ids else token for token in input_ids]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
