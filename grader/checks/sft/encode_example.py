"""The checks of `encode_example`."""

from grader.checks import refusal
from grader.checks.sft.material import EOS, check

PROMPT, RESPONSE = (7, 5, 9), (4, 8, 6, 3)


def encoded(code, max_length=20) -> dict[str, list[int]]:
    """The example of PROMPT and RESPONSE, from new lists."""
    return code.encode_example(list(PROMPT), list(RESPONSE), eos_id=EOS, max_length=max_length)


@check(
    "encode_example",
    1,
    (
        "What does the model read in training? All of it, in order.",
        "Prompt, response, and the token that says that the response is over.",
        "[*prompt_ids, *response_ids, eos_id]",
    ),
)
def inputs_are_prompt_response_eos(code, rng):
    """input_ids are the prompt, the response and EOS, in this order."""
    return {"input_ids": encoded(code)["input_ids"]}


@check(
    "encode_example",
    2,
    (
        "Which tokens should the model learn to say?",
        "The prompt is read, not said: its labels are -100. The rest are labels as they are.",
        "[-100] * len(prompt_ids) + response_ids + [eos_id]",
    ),
)
def labels_score_the_response_alone(code, rng):
    """labels are -100 on the prompt, then the response and EOS; both lists are of equal length."""
    return {
        "labels": list(encoded(code)["labels"]),
        "labels, where a response token also stands in the prompt": list(
            code.encode_example([4, 4, 9], [4, 9], eos_id=EOS, max_length=20)["labels"]
        ),
    }


@check(
    "encode_example",
    1,
    (
        "A model that never sees the end of an answer never stops.",
        "EOS is appended to every response and scored. An EOS id inside the prompt stays in the prompt.",
        "EOS belongs to the labels of the response: target = response_ids + [eos_id].",
    ),
)
def eos_is_learned_once(code, rng):
    """EOS is appended once and scored, also if the prompt or the response holds its id; an empty response is EOS alone."""
    return {
        "EOS in the prompt": code.encode_example([7, EOS, 9], [4], eos_id=EOS, max_length=20),
        "EOS inside the response": code.encode_example([7], [EOS, 4], eos_id=EOS, max_length=20),
        "empty response": code.encode_example([7, 9], [], eos_id=EOS, max_length=20),
        "empty prompt": code.encode_example([], [4, 8], eos_id=EOS, max_length=20),
        "another eos_id": code.encode_example([7], [4], eos_id=10, max_length=20),
    }


@check(
    "encode_example",
    1,
    (
        "Put everything together first, then look at the length.",
        "Cut both lists at max_length. What is cut is the end: first EOS, then the response.",
        "input_ids[:max_length] and labels[:max_length]",
    ),
)
def too_long_is_cut_at_the_end(code, rng):
    """What is longer than max_length loses its end, in both lists; what fits is left whole."""
    return {f"max_length {length}": encoded(code, length) for length in (9, 8, 7, 5, 4)}


@check(
    "encode_example",
    1,
    (
        "What is left to learn if the prompt alone is too long?",
        "If all labels after the cut are -100, raise a ValueError.",
        "if all(label == -100 for label in labels): raise ValueError(...)",
    ),
)
def refuses_an_example_without_labels(code, rng):
    """If the prompt fills max_length, so that no label is left, a ValueError is raised."""
    return {f"max_length {length}": refusal(ValueError, lambda n=length: encoded(code, n)) for length in (2, 3, 4)}


@check(
    "encode_example",
    1,
    (
        "The same prompt is often used for several responses.",
        "Build new lists. += and append on an argument change the caller's list.",
        "input_ids = prompt_ids + response_ids + [eos_id] makes a new list.",
    ),
)
def arguments_stay_as_they_are(code, rng):
    """The given lists are not changed, and the result holds two lists of their own."""
    prompt, response = list(PROMPT), list(RESPONSE)
    example = code.encode_example(prompt, response, eos_id=EOS, max_length=20)
    kinds = {key: type(value).__name__ for key, value in example.items()}
    for value in example.values():
        value.clear()
    return {"prompt_ids afterwards": prompt, "response_ids afterwards": response, "kinds": kinds}
