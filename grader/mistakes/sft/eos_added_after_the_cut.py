"""EOS is added after the cut, so the example is longer than max_length.

The limit is what the memory and the positions of the model allow. Put everything together first, then cut.
"""
# Shows in: too_long_is_cut_at_the_end


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    if len(prompt_ids) >= max_length:
        raise ValueError(f"max_length={max_length} leaves no token of the response")
    input_ids = [*prompt_ids, *response_ids][:max_length] + [eos_id]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *response_ids][:max_length] + [eos_id]
    return {"input_ids": input_ids, "labels": labels}
