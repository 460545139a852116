"""The last token of the prompt is scored.

That is a shift by one, made in the example. The loss shifts: labels[t] is the token at t, and -100 for every
token of the prompt.
"""
# Shows in: labels_score_the_response_alone


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    input_ids = [*prompt_ids, *response_ids, eos_id][:max_length]
    ignored = max(0, len(prompt_ids) - 1)
    labels = [IGNORE_INDEX] * min(ignored, len(input_ids)) + input_ids[ignored:]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
