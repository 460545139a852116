"""Your code beside the reference: `python -m coach compare PROBLEM`, and in a notebook `compare("lora")`."""


def main(arguments: list[str]) -> int:
    from coach.compare.command import main

    return main(arguments)


def compare(problem: str, function: str | None = None):
    """In a notebook: your solved code beside the reference, function by function.

    Args:
        problem: such as "lora", or the name of one function of it.
        function: only this one.

    Raises:
        ValueError: there is no such problem or function, no solution to compare with, or nothing that can be graded.
    """
    from coach.compare.page import Fragment
    from coach.compare.sides import compared

    return Fragment(compared(problem, function))
