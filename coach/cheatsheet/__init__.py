"""Cheat sheets: what to hold in the hand on the way to the interview."""


def main(arguments: list[str]) -> int:
    from coach.cheatsheet.command import main

    return main(arguments)
