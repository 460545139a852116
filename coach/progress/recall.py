"""How likely it is that what was answered is recalled, by FSRS, from the attempts alone."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from quiz.store import Attempt, memory

DAY = timedelta(days=1)


class Memory:
    """What FSRS supposes of the memory of each answered question."""

    def __init__(self, attempts: Iterable[Attempt]):
        self.scheduler, self.cards = memory(attempts)

    def recall(self, items: Iterable[str], at: datetime) -> float | None:
        """The mean chance that these questions are recalled at a moment, over those that were answered. None if none was."""
        chances = [self._chance(self.cards[item], at) for item in items if item in self.cards]
        return sum(chances) / len(chances) if chances else None

    def _chance(self, card, at: datetime) -> float:
        """FSRS's forgetting curve, with its parts of days: the library's own function counts whole days alone.

        Source: https://github.com/open-spaced-repetition/awesome-fsrs/wiki/The-Algorithm, FSRS-6.
        """
        decay = -self.scheduler.parameters[20]
        factor = 0.9 ** (1 / decay) - 1
        return (1 + factor * max(0.0, (at - card.last_review) / DAY) / card.stability) ** decay
