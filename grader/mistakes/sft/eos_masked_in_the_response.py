"""An EOS id inside the response is ignored.

What ends a turn in the middle of a talk must be learned as well. Only the prompt is ignored, by its place:
the value of an id says nothing.
"""
# Shows in: eos_is_learned_once


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [IGNORE_INDEX if token == eos_id else token for token in response_ids] + [eos_id]
    input_ids = [*prompt_ids, *response_ids, eos_id][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}
