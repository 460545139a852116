"""Words that the terminal and the pages share."""


def counted(number: int, noun: str, nouns: str = "") -> str:
    """`1 student`, `2 students`."""
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"
