"""The plan: what to do until the interview, in the order of what pays most."""


def main(arguments: list[str]) -> int:
    from coach.plan.command import main

    return main(arguments)
