"""A single label that is left is refused.

A prompt of max_length - 1 tokens leaves room for the first token of the response, and that can be learned.
Refuse only when every label is -100.
"""
# Shows in: refuses_an_example_without_labels


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    if len(prompt_ids) >= max_length - 1:
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
