"""The checks of `encode_example`."""

from grader.checks import check, refusal, shuffled, tried, whole


def tokens(rng, low: int, high: int) -> list[int]:
    """Token ids, of a drawn number."""
    return [whole(rng, 3, 49_999) for _ in range(whole(rng, low, high))]


def eos(rng) -> int:
    """An EOS id that no text holds by chance."""
    return whole(rng, 50_000, 60_000)


def encoded(code, prompt, response, eos_id, max_length=99) -> dict[str, list[int]]:
    """The example of copies of these lists."""
    found = code.encode_example(list(prompt), list(response), eos_id=eos_id, max_length=max_length)
    return {key: list(found[key]) for key in ("input_ids", "labels")}


def encoded_or_refused(*arguments) -> dict[str, list[int]] | str:
    """The same. That an example is refused is something to see, too."""
    try:
        return encoded(*arguments)
    except ValueError:
        return "refused with a ValueError"


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
    return {"input_ids": encoded(code, tokens(rng, 3, 6), tokens(rng, 3, 6), eos(rng))["input_ids"]}


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
    prompt = tokens(rng, 3, 6)
    repeating = shuffled(rng, [*prompt, 0, *tokens(rng, 1, 3)])  # 0 is the id of a token like others
    return {
        "labels": encoded(code, prompt, tokens(rng, 7, 9), eos(rng))["labels"],
        "labels, where the response repeats the prompt": encoded(code, prompt, repeating, eos(rng))["labels"],
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
    end, prompt, response = eos(rng), tokens(rng, 2, 4), tokens(rng, 3, 5)
    inside = whole(rng, 1, len(response) - 1)
    return {
        "EOS in the prompt": encoded_or_refused(code, [*prompt, end, *tokens(rng, 1, 2)], response, end),
        "EOS inside the response": encoded_or_refused(code, prompt, [*response[:inside], end, *response[inside:]], end),
        "EOS at the end of the response": encoded_or_refused(code, prompt, [*response, end], end),
        "empty response": encoded_or_refused(code, prompt, [], end),
        "empty prompt": encoded_or_refused(code, [], response, end),
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
    prompt, response, end = tokens(rng, 3, 6), tokens(rng, 4, 7), eos(rng)
    whole_length = len(prompt) + len(response) + 1
    limits = [whole_length + 1, whole_length, whole_length - 1, len(prompt) + whole(rng, 2, len(response) - 1)]
    calls = {
        f"{whole_length} tokens, max_length {limit}": lambda limit=limit: encoded_or_refused(
            code, prompt, response, end, limit
        )
        for limit in limits
    }
    return tried(rng, **calls)


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
    """If the prompt fills max_length, so that no label is left, a ValueError is raised; one label is enough."""
    prompt, response, end = tokens(rng, 3, 7), tokens(rng, 3, 5), eos(rng)
    fits = f"a prompt of {len(prompt)} tokens, max_length"
    calls = {
        f"{fits} {limit}": lambda limit=limit: refusal(ValueError, lambda: encoded(code, prompt, response, end, limit))
        for limit in (0, whole(rng, 1, len(prompt) - 1), len(prompt))
    }
    one_more = len(prompt) + 1
    calls[f"{fits} {one_more}"] = lambda: encoded_or_refused(code, prompt, response, end, one_more)
    calls["an empty prompt, max_length 1"] = lambda: encoded_or_refused(code, [], response, end, 1)
    return tried(rng, **calls)


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
    """The result is a dict of two lists, and the lists that were given stay as they are."""
    prompt, response = tokens(rng, 2, 5), tokens(rng, 2, 5)
    example = code.encode_example(prompt, response, eos_id=eos(rng), max_length=99)
    lists = [key for key in sorted(example) if isinstance(example[key], list)]
    given = {key: list(example[key]) for key in lists}
    for key in lists:
        example[key].clear()
    return given | {
        "keys": sorted(example),
        "lists among the values": lists,
        "prompt_ids afterwards": prompt,
        "response_ids afterwards": response,
    }
