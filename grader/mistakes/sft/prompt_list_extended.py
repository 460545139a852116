"""The response is appended to the caller's list of prompt ids.

prompt_ids += ... changes the list that was given, so the next example of the same prompt starts with this
answer. Build a new list.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    prompt_ids += target
    input_ids = prompt_ids
    del input_ids[max_length:]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
