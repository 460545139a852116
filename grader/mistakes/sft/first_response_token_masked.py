"""The first token of the response is ignored as well.

It is what the model must say right after the prompt, and the loss shifts by itself. Ignore len(prompt_ids)
labels, not one more.
"""
# Shows in: labels_score_the_response_alone


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    input_ids = [*prompt_ids, *response_ids, eos_id][:max_length]
    ignored = min(len(prompt_ids) + 1, len(input_ids))
    labels = [IGNORE_INDEX] * ignored + input_ids[ignored:]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
