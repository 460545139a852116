"""`python -m coach plan`: asks what the plan is for, measures, makes it, and shows where one stands."""

import argparse
import sys

from coach.plan import kept as plans
from coach.plan import measure, show, wish
from quiz import bank, keyless, store
from quiz import terminal as screen


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments[1:])
    terminal, kept = screen.Terminal(), store.Store()
    if kept.note:
        print(kept.note, file=sys.stderr)
    given = _given(options)  # what is wrong is said before anything is kept
    if options.done or options.undone:
        done, undone = _named(kept, options.done), _named(kept, options.undone)  # what is wrong is said before anything is kept
        _tick(terminal, kept, done)
        _tick(terminal, kept, undone, undone=True)
    begun = (plans.pending(kept) or {}).get("new") and not (options.done or options.undone or options.keep)
    if options.keep:
        _keep(kept)
    if options.new or given or begun or plans.current(kept) is None:
        return _make(terminal, kept, options, given)
    plan, said = _kept_up(kept, plans.current(kept))
    show.changed(terminal, said)
    show.plan(terminal, plan, store.study_day(store.now()), everything=options.all)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coach plan",
        description="What to do until your interview, step by step, in the order of what pays most. What you do not say is "
        "asked. Later the same command shows where you stand and what is next, and plans anew when a day was missed.",
    )
    parser.add_argument("--when", metavar="DAY", help=f"the day of the interview: {wish.EXAMPLES}")
    parser.add_argument("--minutes", metavar="N", help="minutes a day")
    parser.add_argument("--round", metavar="ROUND", help=f"{', '.join(bank.LEVELS)}")
    parser.add_argument("--coding", action=argparse.BooleanOptionalAction, help="whether you will be asked to write code")
    parser.add_argument("--new", action="store_true", help="begin a new plan")
    parser.add_argument("--without-questions", action="store_true", help="do not measure first")
    parser.add_argument("--done", nargs="+", default=[], metavar="STEP", help="tick these steps off, by their numbers")
    parser.add_argument("--undone", nargs="+", default=[], metavar="STEP", help="take such ticks back")
    parser.add_argument("--keep", action="store_true", help="keep the plan that you have, and forget a new one that you began")
    parser.add_argument("--all", action="store_true", help="show all days and all that did not fit")
    return parser


def _given(options) -> dict:
    """What the options say. ValueError names what is wrong with one."""
    found = {"coding": options.coding} if options.coding is not None else {}
    for key, _, _, read in wish.QUESTIONS:
        text = getattr(options, key)
        if isinstance(text, str):
            found[key] = read(text, store.study_day(store.now())) if key == "when" else read(text)
    return found


def _make(terminal: screen.Terminal, kept: store.Store, options, given: dict) -> int:
    """Asks for what is not known yet, measures, and makes the plan. Each answer is kept before the next question."""
    before = plans.current(kept)
    if options.new:
        kept.log("plan-wish", {"new": True})
    if given:
        kept.log("plan-wish", given)
    known = plans.pending(kept) or {}
    has_another = before is not None and bool(known.get("new"))
    if has_another:
        before = None
    if before:
        known = before.wish | given
    elif known.keys() & plans.KEYS and not given:
        terminal.say("You go on with the plan that you began to ask for.")
    try:
        known = _ask(terminal, kept, known)
    except (KeyboardInterrupt, EOFError):
        if has_another:
            terminal.say()
            terminal.say("The plan that you had is kept: python -m coach plan --keep")
        raise
    if not before and not known.get("measured") and not _measure(terminal, kept, known, options.without_questions):
        return 1
    plan, said = plans.make(kept, known, before)
    show.changed(terminal, said)
    show.plan(terminal, plan, store.study_day(store.now()), everything=options.all)
    return 0


def _ask(terminal: screen.Terminal, kept: store.Store, known: dict) -> dict:
    today = store.study_day(store.now())
    for key, question, default, read in wish.QUESTIONS:
        if key == "when" and known.get(key, "9") < today.isoformat():  # that interview is over
            known.pop(key)
        while key not in known:
            text = terminal.ask(question).strip() or default or ""
            try:
                known[key] = read(text, today) if key == "when" else read(text)
                kept.log("plan-wish", {key: known[key]})
            except ValueError as error:
                terminal.say(f"{error} (“quit” stops.)")
    return known


def _measure(terminal: screen.Terminal, kept: store.Store, known: dict, is_skipped: bool) -> bool:
    """The questions that come first, unless they are skipped or cannot be graded here. False: they were left."""
    if not (bank.has_questions() and bank.has_keys()):
        terminal.say(f"Nothing is measured: this copy of the course cannot grade questions. {keyless.WHO}")
    elif not is_skipped:
        session = known.get("session")
        if session is None:
            session = measure.begin(kept, known["round"])
            known["session"] = session
            kept.log("plan-wish", {"session": session})
        try:
            measure.run(terminal, kept, session, known["round"])
        except (KeyboardInterrupt, EOFError):
            terminal.say()
            terminal.say("Stopped. What you answered is kept. Go on, or make the plan from what is known:")
            terminal.say("python -m coach plan", indent=screen.INDENT)
            terminal.say("python -m coach plan --without-questions", indent=screen.INDENT)
            return False
    kept.log("plan-wish", {"measured": True})
    return True


def _keep(kept: store.Store) -> None:
    """Forgets a plan that was begun to be asked for. ValueError if there is no other one."""
    if plans.current(kept) is None:
        raise ValueError("There is no plan yet that could be kept. Make one: python -m coach plan")
    if plans.pending(kept) is not None:
        kept.log("plan-wish", {"forgotten": True})


def _named(kept: store.Store, names: list[str]) -> list:
    """Steps by their numbers or ids. ValueError if there is no plan, or no such step."""
    plan = plans.current(kept)
    if plan is None:
        raise ValueError("There is no plan yet, so no step can be ticked off. Make one: python -m coach plan")
    found = []
    for name in names:
        if name.isdecimal() and 1 <= int(name[:6]) <= len(plan.steps):
            found.append(plan.steps[int(name[:6]) - 1].step)
        elif name in (planned.step.id for planned in plan.steps):
            found.append(next(planned.step for planned in plan.steps if planned.step.id == name))
        else:
            count = len(plan.steps)
            raise ValueError(f"There is no step {name[:40]!r}. The plan has the steps 1 to {count}: python -m coach plan --all")
    return found


def _tick(terminal: screen.Terminal, kept: store.Store, steps: list, undone: bool = False) -> None:
    """Ticks steps off, or takes that back."""
    ticked = plans.ticked(kept)
    for step in steps:
        if undone and step.id not in ticked:
            terminal.say(f"{step.title}: not ticked off by hand, so there is nothing to take back.")
            continue
        kept.log("plan-done", {"step": step.id} | ({"undone": True} if undone else {}))
        terminal.say(f"{'To do again' if undone else 'Done'}: {step.title}.")


def _kept_up(kept: store.Store, plan: plans.Current) -> tuple[plans.Current, list[str]]:
    """The plan, made anew if a day went by with something left undone; and what changed, in sentences."""
    today = store.study_day(store.now()).isoformat()
    missed = [planned for planned in plan.steps if planned.day < today and not planned.done and planned.step.kind != "review"]
    if not missed or plan.wish["when"] < today:
        return plan, []
    new, said = plans.make(kept, plan.wish, plan)
    days = list(dict.fromkeys(planned.day for planned in missed))
    count = f"{len(missed)} step{'s' * (len(missed) > 1)}"
    listed = " and ".join(show.day_in_words(day) for day in days)
    return new, [f"Not done on {listed}: {count}. So the plan was made anew.", *said]
