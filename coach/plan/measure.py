"""Twelve questions that find out where one stands: one or two a topic, harder after a right answer, easier after a wrong one."""

from datetime import timedelta
from random import Random

from coach.plan.catalog import asked, table
from coach.plan.standing import LEVELS
from quiz import asking, bank, store
from quiz import terminal as screen

QUESTIONS = 12
LATELY = timedelta(days=14)  # a question that was answered since then is not asked: one would remember the reply


def begin(kept: store.Store, round_: str) -> int:
    """A session of its own, so that what is answered in it is known when it is left and gone on with."""
    session = kept.begin({"items": [], "seed": Random().randrange(10**6), "exam": False, "measure": round_})
    kept.end(session)  # “quiz --resume” goes on with rounds of the quiz alone
    return session


def next_question(attempts: list[store.Attempt], session: int, round_: str, at):
    """The next item, and how many were asked. No item at the end."""
    given = [attempt for attempt in attempts if attempt.session == session]
    lately = {attempt.item for attempt in attempts if attempt.session != session and at - attempt.at < LATELY}
    topics = sorted(table()["topics"], key=asked, reverse=True)
    level, place = min(1, LEVELS.index(round_)), 0
    reached: dict[str, int] = {}  # by topic, the level of its second question
    for topic in (topics + topics)[:QUESTIONS]:
        level = reached.get(topic, level)
        item = _pick(topic, level, lately | {attempt.item for attempt in given[:place]}, f"{session} {place}")
        if item is None:
            continue
        if place == len(given):
            return item, place
        level += 1 if given[place].score == 1 else -1
        level = reached[topic] = min(max(level, 0), len(LEVELS) - 1)
        place += 1
    return None, place


def _pick(topic: str, level: int, taken: set[str], seed: str):
    """A question of the topic, of this level or else of the nearest. Open ones take too long."""
    free = [item for item in bank.items(topic, about="interview") if item.kind != "open" and item.id not in taken]
    nearest = min((abs(LEVELS.index(item.level) - level) for item in free), default=None)
    near = [item for item in free if abs(LEVELS.index(item.level) - level) == nearest]
    return Random(seed).choice(near) if near else None


def run(terminal: screen.Terminal, kept: store.Store, session: int, round_: str) -> None:
    """Asks what is left. Each answer is stored before the next question is shown."""
    while True:
        item, count = next_question(kept.attempts(), session, round_, store.now())
        if item is None:
            return
        if count == 0:
            terminal.say()
            terminal.say(f"First up to {QUESTIONS} questions, to see where you stand. You can leave and go on later.")
            terminal.say("Here you hear only whether you are right. What you miss, the drill asks again and explains.")
        asked_ = asking.question(item, session)
        result, answer = screen.pose(terminal, asked_, f"Question {count + 1} of {QUESTIONS}")
        with screen.unbroken():
            kept.add(item, result.score, answer, store.now(), session)
        terminal.say(asking.verdict(result), screen.STYLES[result.verdict])
