"""EOS also stands between prompt and response.

The model would learn to answer after the end of a text, and in use no EOS stands there. One EOS, behind the
response.
"""
# Shows in: inputs_are_prompt_response_eos


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, eos_id, *target][:max_length]
    labels = [*[IGNORE_INDEX] * (len(prompt_ids) + 1), *target][:max_length]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
