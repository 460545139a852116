"""EOS is left out if the response ends with its id.

Then an example ends otherwise than all others, and a response that says the token itself cannot be told from
one that is over. The contract appends EOS to every response.
"""
# Shows in: eos_is_learned_once


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    ends = len(response_ids) > 0 and response_ids[-1] == eos_id
    target = [*response_ids] if ends else [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
