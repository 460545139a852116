"""How likely it is that what was answered is recalled, by FSRS, from the attempts alone."""

from collections.abc import Iterable
from datetime import datetime

from quiz.store import Attempt, study_day


class Memory:
    """What FSRS supposes of the memory of each answered question. Rated as `quiz.store.schedule` rates."""

    def __init__(self, attempts: Iterable[Attempt]):
        from fsrs import Card, Rating, Scheduler  # here, since its import takes a while

        self.scheduler = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
        self.cards: dict[str, Card] = {}
        days = {}
        for attempt in sorted(attempts, key=lambda attempt: attempt.at):
            day, before = study_day(attempt.at), days.get(attempt.item)
            days[attempt.item] = day
            if attempt.drilled and day == before:
                continue
            card = self.cards.get(attempt.item) or Card(card_id=1, due=attempt.at)
            rating = Rating.Good if attempt.score == 1 else Rating.Hard if attempt.score >= 0.5 else Rating.Again
            self.cards[attempt.item], _ = self.scheduler.review_card(card, rating, attempt.at)

    def recall(self, items: Iterable[str], at: datetime) -> float | None:
        """The mean chance that these questions are recalled at a moment, over those that were answered. None if none was."""
        chances = [self.scheduler.get_card_retrievability(self.cards[item], at) for item in items if item in self.cards]
        return sum(chances) / len(chances) if chances else None
