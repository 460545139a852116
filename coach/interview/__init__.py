"""The mock interview: a round as companies hold it, timed, with a debrief at its end."""


def main(arguments: list[str]) -> int:
    from coach.interview.command import main

    return main(arguments)
