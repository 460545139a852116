"""How likely it is that what was answered is recalled, by FSRS, from the attempts alone."""

from collections.abc import Iterable
from datetime import datetime

from quiz.store import Attempt, memory


class Memory:
    """What FSRS supposes of the memory of each answered question."""

    def __init__(self, attempts: Iterable[Attempt]):
        self.scheduler, self.cards = memory(attempts)

    def recall(self, items: Iterable[str], at: datetime) -> float | None:
        """The mean chance that these questions are recalled at a moment, over those that were answered. None if none was."""
        chances = [self.scheduler.get_card_retrievability(self.cards[item], at) for item in items if item in self.cards]
        return sum(chances) / len(chances) if chances else None
