"""An example without labels fails by assert.

assert is for the author's own assumptions: python -O leaves it out, and nobody who catches ValueError meets an
AssertionError. Raise a ValueError that says what is wrong.
"""
# Shows in: refuses_an_example_without_labels


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    assert any(label != IGNORE_INDEX for label in labels), f"max_length={max_length} leaves no token of the response"
    return {"input_ids": input_ids, "labels": labels}
