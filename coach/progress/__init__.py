"""Progress: what is known, solved and mended, on one page."""


def main(arguments: list[str]) -> int:
    from coach.progress.command import main

    return main(arguments)
