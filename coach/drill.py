"""The drill: what was missed is asked now, until it is right twice with other questions in between.

Then comes what is weakest by belief. What is still to be right follows from the answers, so a drill that is left or killed goes
on with the same command; only that of a whole topic keeps which questions it has.
"""

import argparse
import sys
from collections.abc import Iterable
from random import Random, SystemRandom

from coach import beliefs, opentext
from quiz import asking, bank, keyless, store
from quiz import terminal as screen
from quiz.grading import grade

TWICE = 2  # right answers after a miss
ONCE = 1  # for an open question: its second text stands beside the first, and a third would be written by heart
ENOUGH = 2 / 3  # of the key points of an open question, which is then called right
BETWEEN = 2  # other questions before one comes again, where there are so many
BELIEFS = 5  # questions on beliefs in one drill, unless --count says otherwise


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments[1:])
    if not bank.has_keys():
        raise ValueError(f"A drill needs the keys to the questions, and this copy of the course has none. {keyless.WHO}")
    terminal, kept = screen.Terminal(), store.Store()
    if kept.note:
        print(kept.note, file=sys.stderr)
    attempts = kept.attempts()
    left = _left(kept, options) if options.all else None
    drill = left or plan(attempts, options.topic, options.count, options.all)
    if not drill["items"]:
        terminal.say(f"Nothing was missed{' in this topic' if options.topic else ''}, and no wrong answer names a belief.")
        topic = options.topic or "lora"
        terminal.say(f"New questions: python -m quiz. All of a topic: python -m coach drill --topic {topic} --all")
        return 0
    _opening(terminal, drill, attempts, options, bool(left))
    if not left:
        drill["session"] = kept.begin({"items": [], "seed": drill["seed"], "exam": False, "drill": True})
        kept.end(drill["session"])  # “quiz --resume” goes on with rounds of the quiz alone
        kept.log("drill", drill | _chosen(options))
    return run(terminal, kept, drill, options.clock)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coach drill",
        description="Asks what you missed, now, until it is right twice with others in between; then what your wrong answers "
        "seem to believe. A drill does not change when the quiz asks you again, except by the first answer of a day.",
    )
    parser.add_argument("--topic", choices=bank.TOPICS, help="only questions of this topic")
    parser.add_argument("--count", type=_count, metavar="N", help="at most so many different questions; with 1 there is no other in between")
    parser.add_argument("--all", action="store_true", help="all questions, those that you missed first")
    parser.add_argument("--clock", action="store_true", help="tell how long the text of an open question took")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of questions; for example 10")
    return int(text)


# --- choosing -----------------------------------------------------------------------------------


def plan(attempts: list[store.Attempt], topic: str | None, count: int | None, everything: bool = False) -> dict:
    """Which questions a drill has: those that were missed, then those on beliefs, or all others.

    Returns:
        items: their ids, in the order in which they are asked first.
        beliefs: by the id of a question, the belief on which it is asked.
        found: how many there are, of which `count` may leave some out.
    """
    served = {item.id: item for item in bank.items(topic, about="interview")}
    seed = SystemRandom().randrange(10**6)
    history = by_item(attempts)
    missed = still_missed(history, served)
    on_beliefs = {} if everything else _on_beliefs(attempts, served, {*missed})
    if count is None:
        on_beliefs = dict(list(on_beliefs.items())[:BELIEFS])
    new = [name for name in served if name not in history]
    Random(seed).shuffle(new)
    items = [*missed, *on_beliefs]
    if everything:
        items += sorted(served.keys() - {*missed}, key=lambda name: (name in history, Random(f"{seed} {name}").random()))
    elif items:
        near = {served[name].topic for name in items}
        items += [name for name in new if served[name].topic in near][: max(0, BETWEEN + 1 - len(items))]
    return {"items": items[:count], "beliefs": on_beliefs, "seed": seed, "found": len(items)}


def still_missed(history: dict[str, list[store.Attempt]], served: dict) -> list[str]:
    """Those of the questions that were missed and not right often enough since."""
    return [name for name in history if name in served and still_to_be_right(served[name], history[name])]


def by_item(attempts: Iterable[store.Attempt]) -> dict[str, list[store.Attempt]]:
    """The attempts by question. The question that was answered longest ago comes first."""
    history: dict[str, list] = {}
    for attempt in attempts:
        history[attempt.item] = [*history.pop(attempt.item, []), attempt]
    return history


def is_right(item, score: float) -> bool:
    """Whether an answer needs no repetition."""
    return score >= (ENOUGH if item.kind == "open" else 1)


def still_to_be_right(item, history: list[store.Attempt]) -> int:
    """How often a question must still be answered right. A right answer outside of a drill is enough."""
    since = []
    for attempt in reversed(history):
        if not is_right(item, attempt.score):
            break
        since.append(attempt)
    else:
        return 0  # it was never missed
    if not all(attempt.drilled for attempt in since):
        return 0
    return max(0, (ONCE if item.kind == "open" else TWICE) - len(since))


def _on_beliefs(attempts: list[store.Attempt], served: dict, taken: set[str]) -> dict[str, str]:
    """For each belief that is held another question, the one that was answered least lately; the firmest belief first."""
    order = {name: place for place, name in enumerate(by_item(attempts))}
    found = {}
    for one in beliefs.held(attempts):
        names = [item.id for item in beliefs.questions(one.belief) if item.id in served and item.id not in taken | found.keys()]
        if names:
            found[min(names, key=lambda name: order.get(name, -1))] = one.belief
    return found


def next_question(drill: dict, attempts: list[store.Attempt]) -> tuple[str | None, int]:
    """Which question comes next, and how many answers are still to be right.

    The one that was asked longest ago comes first, so as many others stand in between as there are.
    """
    asked = [attempt.item for attempt in attempts if attempt.session == drill["session"]]
    history, known = by_item(attempts), {item.id: item for item in bank.items()}
    latest = {name: place for place, name in enumerate(asked)}
    to_go = {}
    for name in drill["items"]:
        if name in known:
            to_go[name] = still_to_be_right(known[name], history.get(name, [])) or int(name not in latest)
    waiting = [name for name, times in to_go.items() if times]
    return min(waiting, key=lambda name: latest.get(name, -1), default=None), sum(to_go.values())


def _left(kept: store.Store, options) -> dict | None:
    """The drill of all questions of this topic that was left today, if there is one."""
    ended = {event.content["session"] for event in kept.events("drill-end")}
    for event in reversed(kept.events("drill")):
        told, is_today = event.content, store.study_day(event.at) == store.study_day(store.now())
        if is_today and told["session"] not in ended and told.items() >= _chosen(options).items():
            return told
    return None


def _chosen(options) -> dict:
    return {"topic": options.topic, "count": options.count, "all": options.all}


# --- asking -------------------------------------------------------------------------------------


def run(terminal: screen.Terminal, kept: store.Store, drill: dict, clock: bool) -> int:
    """Asks until nothing is left. Each answer is stored before the next question is shown."""
    try:
        while True:
            attempts = kept.attempts()
            name, to_go = next_question(drill, attempts)
            if name is None:
                break
            number = sum(attempt.session == drill["session"] for attempt in attempts) + 1
            asked = asking.question(bank.item(name), drill["seed"] + number)  # other letters each time
            ask = _open if asked.item.kind == "open" else _closed
            ask(terminal, kept, drill, asked, f"Question {number}, {to_go} to go", clock)
            _tell_belief(terminal, drill["beliefs"].get(name))
    except (KeyboardInterrupt, EOFError):
        terminal.say()
        terminal.say("Stopped. What you answered is kept; go on with the same command.")
        screen.summary(terminal, kept.attempts(drill["session"]))
        return 1
    kept.log("drill-end", {"session": drill["session"]})
    terminal.say()
    terminal.say("Done: nothing of this drill is left.", "bold")
    screen.summary(terminal, kept.attempts(drill["session"]))
    return 0


def _closed(terminal, kept, drill, asked, heading, clock) -> None:
    result, answer = screen.pose(terminal, asked, heading)
    with screen.unbroken():
        kept.add(asked.item, result.score, answer, store.now(), drill["session"])
    screen.feedback(terminal, asked, result)


def _open(terminal, kept, drill, asked, heading, clock) -> None:
    """A text and its marks. A text that was written and not marked is marked now."""
    item, previous = asked.item, last_text(kept, asked.item.id)
    task = "\n\n".join(part for part in (item.stem, item.code) if part)
    texts = {"heading": f"{heading}. {asked.sort}", "task": task, "rubric": item.rubric}
    unmarked = _unmarked(kept, item.id)
    if unmarked:
        terminal.say()
        terminal.say(f"{texts['heading']}.", "bold")
        terminal.say(task)
        marked = opentext.mark(terminal, unmarked["text"], item.rubric, previous=previous)
        answer = opentext.OpenAnswer(unmarked["text"], marked, unmarked["seconds"])
    else:

        def keep(text, seconds):
            kept.log("open-text", {"item": item.id, "text": text, "seconds": round(seconds)})

        answer = opentext.ask_open(terminal, **texts, clock=clock, previous=previous, keep=keep)
    result = grade(item, list(answer.marked))
    with screen.unbroken():
        content = {"item": item.id, "text": answer.text, "marked": list(answer.marked), "seconds": round(answer.seconds)}
        kept.log("open", content | {"points": len(item.rubric)})
        kept.add(item, result.score, list(answer.marked), store.now(), drill["session"])
    screen.feedback(terminal, asked, result)
    if not result.right and is_right(item, result.score):
        terminal.say(f"Two thirds of the key points are enough here: {len(answer.marked)} of {len(item.rubric)} count as right.")


def last_text(kept: store.Store, item: str) -> opentext.OpenAnswer | None:
    """The latest text that was written and marked for an open question."""
    told = next((event.content for event in reversed(kept.events("open")) if event.content.get("item") == item), None)
    return told and opentext.OpenAnswer(told["text"], tuple(told["marked"]), told["seconds"])


def _unmarked(kept: store.Store, item: str) -> dict | None:
    """The text that was written for an open question and not marked, because the drill was left there."""
    latest = next((event for event in reversed(kept.events("open", "open-text")) if event.content.get("item") == item), None)
    return latest.content if latest and latest.kind == "open-text" else None


# --- telling ------------------------------------------------------------------------------------


def _opening(terminal: screen.Terminal, drill: dict, attempts: list[store.Attempt], options, goes_on: bool) -> None:
    count = len(drill["items"])
    if goes_on:
        terminal.say("You go on with the drill that you left.")
    elif options.all or (options.count or 0) > drill["found"]:
        terminal.say(f"There {'is 1 question' if count == 1 else f'are {count} questions'} for this drill.")
    seen = [one for one in beliefs.held(attempts) if options.topic in (None, *(q.topic for q in beliefs.questions(one.belief)))]
    if seen:
        terminal.say()
        terminal.say("You seem to believe:", "bold")
    for one in seen[:BELIEFS]:
        times = {1: "once", 2: "twice"}.get(one.times, f"{one.times} times")
        since = "; right once since" if one.since else ""
        terminal.say(f"{one.claim} (named {times}{since})", indent=screen.INDENT, label="- ")
    if len(seen) > BELIEFS:
        terminal.say(f"and {len(seen) - BELIEFS} more, less often.", indent=screen.INDENT)


def _tell_belief(terminal: screen.Terminal, belief: str | None) -> None:
    if belief:
        one = beliefs.Held(belief, 0, 0)
        terminal.say(f"This question was asked because of the belief: “{one.claim}” {one.correction}".strip())
