"""The checks of `softmax`."""

from grader.checks import check, rand, refusal, tried, whole


@check(
    "softmax",
    2,
    (
        "What do the numbers of a row add up to?",
        "exp of each logit over the temperature, divided by the sum of its row.",
        "exponentials / exponentials.sum(dim=-1, keepdim=True)",
    ),
)
def rows_are_probabilities(code, rng):
    """The last dimension holds the probabilities of the formula."""
    logits, temperature = rand(rng, whole(rng, 2, 4), whole(rng, 5, 7)), whole(rng, 5, 9) / 4
    return {
        "temperature 1": code.softmax(logits),
        "another temperature": code.softmax(logits, temperature=temperature),
    }


@check(
    "softmax",
    1,
    (
        "What is exp(1000) in a computer?",
        "A constant taken off all logits of a row changes nothing: it stands above and below the line.",
        "Take the largest logit of each row off before exp.",
    ),
)
def large_logits_stay_finite(code, rng):
    """Logits of some thousands give finite probabilities."""
    return {"probabilities": code.softmax(2000 + rand(rng, 3, 5))}


@check(
    "softmax",
    1,
    (
        "Which temperatures have no meaning?",
        "Zero divides by zero, and a negative one prefers the least likely.",
        "if not temperature > 0: raise ValueError(...) with the word temperature in it",
    ),
)
def refuses_a_temperature_that_is_not_above_zero(code, rng):
    """A temperature of 0 or below is a ValueError that names it."""
    logits = rand(rng, 2, whole(rng, 3, 6))
    return tried(
        rng,
        zero=lambda: refusal(ValueError, lambda: code.softmax(logits, temperature=0.0), "temperature"),
        negative=lambda: refusal(ValueError, lambda: code.softmax(logits, temperature=-0.5), "temperature"),
        good=lambda: code.softmax(logits, temperature=0.25),
    )
