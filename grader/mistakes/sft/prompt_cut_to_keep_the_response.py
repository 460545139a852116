"""The prompt is cut so that the response fits.

Then the model answers half a question. That is a choice of some libraries; the contract cuts the whole at its
end: first EOS, then the response.
"""
# Shows in: too_long_is_cut_at_the_end


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    if len(prompt_ids) >= max_length:
        raise ValueError(f"max_length={max_length} leaves no token of the response")
    target = [*response_ids, eos_id][:max_length]
    kept = [*prompt_ids][: max_length - len(target)]
    return {"input_ids": [*kept, *target], "labels": [*[IGNORE_INDEX] * len(kept), *target]}
