"""All one's data as one file: `python -m coach export FILE` and `python -m coach import FILE`."""


def main(arguments: list[str]) -> int:
    from coach.transfer.command import main

    return main(arguments)
