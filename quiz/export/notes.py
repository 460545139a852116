"""What a format cannot hold: each reason once, with the questions that it concerns."""


class Notes:
    """Collects reasons while questions are written, so that nothing is dropped silently."""

    def __init__(self):
        self._ids: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Note that `reason`, a whole sentence, holds for the question with the id `name`."""
        self._ids.setdefault(reason, []).append(name)

    def lines(self) -> list[str]:
        """One line a reason, with the number of the questions and their ids."""
        return [
            f"{len(ids)} question{'s' if len(ids) > 1 else ''}: {reason} ({', '.join(ids)})"
            for reason, ids in self._ids.items()
        ]
