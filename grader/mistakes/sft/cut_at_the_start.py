"""What is too long is cut at the start.

Then the question loses its beginning, and the kept answer may belong to nothing. The contract cuts at the
end: [:max_length].
"""
# Shows in: too_long_is_cut_at_the_end


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    start = max(0, len(prompt_ids) + len(target) - max_length)
    input_ids = [*prompt_ids, *target][start:]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][start:]
    if len(prompt_ids) >= max_length:
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
