"""The quiz, and the data that the notebooks share: what the article says and what is true, and the bibliography.

    quiz.items(topic="lora")        the questions, as data; see quiz.bank.items for how to choose
    quiz.grade(item, answer)        what an answer is worth; see quiz.grading for the forms and for partial credit
    quiz.show(topic="lora")         the questions in a notebook
    python -m quiz                  the questions in a terminal
"""

_HOMES = {"items": "quiz.bank", "item": "quiz.bank", "show": "quiz.widget", "BadAnswer": "quiz.grading"}
__all__ = [*_HOMES, "grade"]


def __getattr__(name: str):
    """Loads a part when it is asked for: whoever draws a table of errata needs no widget."""
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'quiz' has no attribute {name!r}")


def grade(item, answer):
    """What an answer is worth, from 0 to 1, with replies and the key; None where there is none. See `quiz.grading.grade`."""
    from quiz.grading import grade

    return grade(item, answer)
