"""The checks of `preference_batch`."""

import copy

from grader.checks import check, refusal, shuffled, tried, whole
from grader.checks.preference.material import KEYS, pad, pair, pairs, tokens


def batch(code, given: list[dict], pad_id: int) -> dict:
    """The three tensors of the batch of a copy of these pairs, whatever kind of integers they hold."""
    found = code.preference_batch(copy.deepcopy(given), pad_id=pad_id)
    return {key: found[key].long() for key in KEYS}


@check(
    "preference_batch",
    2,
    (
        "One forward pass serves both answers of all pairs. In which order do the rows come?",
        "Prompt and chosen answer of each pair, then prompt and rejected answer of each; filled up on the right.",
        "[p['prompt_ids'] + p[name] for name in ('chosen_ids', 'rejected_ids') for p in pairs]",
    ),
)
def chosen_rows_come_first(code, rng):
    """input_ids hold a row for each chosen answer, then one for each rejected answer, padded on the right with pad_id."""
    given, pad_id = pairs(rng), pad(rng)
    return {
        "input_ids": batch(code, given, pad_id)["input_ids"],
        "input_ids of one pair": batch(code, given[:1], pad_id)["input_ids"],
    }


@check(
    "preference_batch",
    1,
    (
        "The mask tells tokens from padding. Where do you know the difference from?",
        "1 for each token of prompt and answer, 0 for each token of padding: from the lengths.",
        "[1] * len(row) + [0] * (longest - len(row))",
    ),
)
def mask_marks_prompt_and_answer(code, rng):
    """attention_mask is 1 on the tokens of prompt and answer, and 0 on padding."""
    return {f"attention_mask of batch {n}": batch(code, pairs(rng), pad(rng))["attention_mask"] for n in (1, 2, 3)}


@check(
    "preference_batch",
    2,
    (
        "DPO compares log π(answer | prompt). Which tokens are scored, and which are given?",
        "Labels are -100 on the prompt and on padding, and the answer's own tokens elsewhere, EOS included.",
        "[-100] * len(prompt) + answer + [-100] * (longest - len(prompt) - len(answer))",
    ),
)
def labels_score_the_answers_alone(code, rng):
    """labels are -100 on the prompt and on padding, and the tokens of the answer, its EOS included, elsewhere."""
    given = pairs(rng)
    repeating = pair(rng, 4, 3, 5)
    repeating["rejected_ids"] = [*shuffled(rng, [0, *repeating["prompt_ids"]]), 2]  # 0 is the id of a token like others
    return {
        "labels": batch(code, given, pad(rng))["labels"],
        "labels, where an answer repeats the prompt": batch(code, [repeating, *given[:2]], pad(rng))["labels"],
    }


@check(
    "preference_batch",
    2,
    (
        "Many tokenizers have no padding token, so that of EOS is used. Can the value tell what is padding then?",
        "Mask and labels follow from the lengths. Comparing with pad_id also hides every real EOS.",
        "Never write input_ids != pad_id or labels[labels == pad_id] = -100.",
    ),
)
def pad_may_be_eos(code, rng):
    """If pad_id equals the id of EOS, or of another token of the text, the real token stays visible and is scored."""
    eos_id = whole(rng, 0, 2)
    given = pairs(rng, eos_id)
    given[0]["prompt_ids"].insert(0, eos_id)  # the end of a turn before
    in_an_answer = given[0]["rejected_ids"][0]
    return {
        "pad_id is EOS": batch(code, given, eos_id),
        "pad_id is another token": batch(code, given, in_an_answer),
    }


@check(
    "preference_batch",
    1,
    (
        "Which position predicts the first token of a text?",
        "None. So an answer without a prompt needs no special care, neither an error nor a token in front.",
        "[-100] * 0 is the empty list, and sequence_logprobs never counts the label at position 0.",
    ),
)
def a_prompt_may_be_empty(code, rng):
    """A pair with an empty prompt has rows of the answers alone; what is scored are the answers' tokens but the first."""
    found = batch(code, shuffled(rng, [pair(rng, 0, whole(rng, 3, 5), 2), *pairs(rng)[:2]]), pad(rng))
    return found | {"labels": found["labels"][:, 1:]}  # the label at position 0 never counts, so it is free


@check(
    "preference_batch",
    1,
    (
        "Two answers that are cut at the same length are compared by their beginnings.",
        "A row is as long as its prompt and its answer; nothing is cut, and no token is added.",
        "longest = max(len(row) for row in rows), without a limit",
    ),
)
def nothing_is_cut(code, rng):
    """Long prompts and answers are kept whole, and no token is added to them."""
    long = pair(rng, whole(rng, 1050, 1090), whole(rng, 4100, 4200), whole(rng, 520, 600))
    found = batch(code, shuffled(rng, [long, pair(rng, whole(rng, 530, 560), 2, 4)]), pad(rng))
    return {"shape": list(found["input_ids"].shape)} | found


@check(
    "preference_batch",
    1,
    (
        "Embeddings and losses want integers of 64 bits.",
        "All three tensors are torch.long and have the same shape (2B, T).",
        "torch.tensor(rows, dtype=torch.long)",
    ),
)
def gives_long_tensors_of_one_shape(code, rng):
    """input_ids, attention_mask and labels are tensors of torch.long, each (2B, T)."""
    equal = (whole(rng, 1, 4), *[whole(rng, 2, 5)] * 2)  # so nothing is padded
    found = code.preference_batch([pair(rng, *equal) for _ in range(whole(rng, 2, 4))], pad_id=pad(rng))
    return {key: found[key] for key in KEYS}


@check(
    "preference_batch",
    2,
    (
        "What is there to learn from a pair whose answers are the same, or from an answer without a token?",
        "An empty list, an empty answer, and two answers that are equal token for token are ValueErrors.",
        "if pair['chosen_ids'] == pair['rejected_ids']: raise ValueError(...), for each pair",
    ),
)
def refuses_what_cannot_be_compared(code, rng):
    """An empty list, an empty answer and equal answers are ValueErrors; answers that are merely similar are not."""
    pad_id = pad(rng)

    def answers(chosen, rejected, prompt=None):
        return {"prompt_ids": prompt or tokens(rng, 2), "chosen_ids": [*chosen], "rejected_ids": [*rejected]}

    def among_others(bad):
        one, *others = pairs(rng)[:3]
        return refusal(ValueError, lambda: batch(code, [one, *shuffled(rng, [bad, *others])], pad_id))

    one = [*tokens(rng, whole(rng, 2, 4)), 2]
    other = [*one[:-1], whole(rng, 10, 99), 2]
    turned = [1, *one[:-1], 2], [*one[:-1], 1, 2]
    return tried(
        rng,
        **{
            "an empty list": lambda: refusal(ValueError, lambda: code.preference_batch([], pad_id=pad_id), "pairs"),
            "an empty chosen answer": lambda: among_others(answers([], one)),
            "an empty rejected answer": lambda: among_others(answers(one, [])),
            "equal answers": lambda: among_others(answers(one, one)),
            "an answer that is the end of the other": lambda: batch(code, [answers(one[1:], one)], pad_id),
            "answers of one length": lambda: batch(code, [answers(one, [*tokens(rng, len(one) - 1), 2])], pad_id),
            "answers of the same tokens": lambda: batch(code, [answers(*turned)], pad_id),
            "an answer that repeats the prompt": lambda: batch(code, [answers(one, other, one)], pad_id),
            "two equal pairs": lambda: batch(code, [answers(one, other, [5]), answers(one, other, [5])], pad_id),
        },
    )


@check(
    "preference_batch",
    1,
    (
        "The next epoch uses the same pairs again.",
        "Make new lists. += and extend on a prompt change the pair.",
        "[*pair['prompt_ids'], *pair['chosen_ids']] makes a new list.",
    ),
)
def pairs_stay_as_they_are(code, rng):
    """The lists of the pairs are as they were when the batch is made."""
    own = pairs(rng)
    found = code.preference_batch(own, pad_id=pad(rng))
    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    lists = {f"{name} of pair {n}": list(one.get(name, [])) for n, one in enumerate(own) for name in names}
    return lists | {"input_ids": found["input_ids"].long()}
