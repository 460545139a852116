"""The debrief: what was seen of each competence, as an interviewer would write it, from the state of a round alone.

It claims nothing that was not measured. What the course has graded, what the candidate marked, and what a partner marked stand
apart, and a competence of which nothing was seen is called so.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from coach import opentext
from coach.interview import engine, prompts, table
from coach.interview.state import State
from coach.interview.whiteboards import whiteboards
from grader.problems import PROBLEMS
from lab import review
from quiz import asking, bank
from quiz.register import link, sources

NOT_SEEN = "Not seen in this round."
BY = {
    "course": "graded by the course",
    "self": "marked by the candidate, not checked",
    "partner": "marked by the partner who led the round",
}
WORDS = ((0.8, "solid"), (0.5, "partly there"), (0.0, "needs work"))


@dataclass(frozen=True)
class Evidence:
    """One thing that was seen.

    Attributes:
        by: who says what it was worth: "course", "self", "partner", or empty if nobody has.
        score: from 0 to 1, or None where nothing was measured.
        answered, measured: in words.
        answer: a good answer, for whoever reads the debrief.
        anchor: where it stands in the page.
        study: what to read for it, each a text and a link (empty if there is none).
    """

    asked: str
    answered: str
    measured: str
    by: str = ""
    score: float | None = None
    minutes: float = 0.0
    note: str = ""
    answer: str = ""
    anchor: str = ""
    study: tuple[tuple[str, str], ...] = ()

    @property
    def short(self) -> str:
        """What was asked, in its first words."""
        return textwrap.shorten(self.asked, 70, placeholder=" …")


@dataclass(frozen=True)
class Competence:
    key: str
    title: str
    evidence: tuple[Evidence, ...]

    def share(self, by: str) -> float | None:
        """The mean of what one marker has said. None if they said nothing."""
        scores = [one.score for one in self.evidence if one.by == by and one.score is not None]
        return sum(scores) / len(scores) if scores else None

    @property
    def shares(self) -> dict[str, float]:
        return {by: share for by in BY if (share := self.share(by)) is not None}

    @property
    def verdict(self) -> str:
        """What was seen, by whom it was marked, in a sentence."""
        if not self.evidence:
            return NOT_SEEN
        if not self.shares:
            return "Asked, and nothing was answered that could be marked."
        counts = {by: sum(one.by == by and one.score is not None for one in self.evidence) for by in BY}
        answers = {by: f"{counts[by]} answer{'s' * (counts[by] != 1)}" for by in BY}
        said = [f"{in_words(share)} ({share:.0%} over {answers[by]}, {BY[by]})" for by, share in self.shares.items()]
        words = "; ".join(said)
        return f"{words[0].upper()}{words[1:]}."


@dataclass(frozen=True)
class Debrief:
    """What is told of a round.

    Attributes:
        times: for each part its title, the minutes that it had and that it took, and what is to be said of them.
        led: another person led the round, so nothing of it was kept with the quiz's answers.
        earlier: for earlier rounds their day, and by competence the shares by who marked them.
    """

    title: str
    opening: tuple[str, ...]
    competences: tuple[Competence, ...]
    times: tuple[tuple[str, int, float, str], ...]
    led: bool
    earlier: tuple[tuple[str, dict[str, dict[str, float]]], ...] = field(default=())

    @property
    def is_drilled(self) -> bool:
        """Whether a question of the bank was missed that the drill asks again."""
        seen = [one for competence in self.competences for one in competence.evidence if one.anchor.startswith("q-")]
        return not self.led and any(one.score is not None and one.score < 1 for one in seen)

    @property
    def near(self) -> list[tuple[str, str, list[Evidence]]]:
        """What to read in the notebooks."""
        return [one for one in self.study if "://" not in one[1]]

    @property
    def far(self) -> list[tuple[str, str, list[Evidence]]]:
        """The sources, for another day."""
        return [one for one in self.study if "://" in one[1]]

    @property
    def study(self) -> list[tuple[str, str, list[Evidence]]]:
        """What to read for all that was not wholly right: text, link, and what it is for. What serves most stands first."""
        found: dict[tuple[str, str], list[Evidence]] = {}
        for one in (evidence for competence in self.competences for evidence in competence.evidence):
            for place in one.study if one.score != 1 else ():
                found.setdefault(place, []).append(one)
        order = sorted(found, key=lambda place: -len(found[place]))
        return [(*place, found[place]) for place in order]


def in_words(share: float) -> str:
    """A share as a judgement. The numbers stand beside it wherever it is used."""
    return next(words for least, words in WORDS if share >= least)


def debrief(state: State, before: Iterable[State] = ()) -> Debrief:
    """The debrief of a round, compared with earlier ones of the same candidate that were marked in the same way."""
    who = state.plan.get("candidate")
    same = [one for one in before if one.ended and one.led == state.led and one.plan.get("candidate") == who]
    earlier = tuple((_day(one), {c.key: c.shares for c in competences(one) if c.shares}) for one in same[-4:])
    title = f"Mock interview of {_day(state)}" + (f": {who}" if who else "")
    return Debrief(title, _opening(state), competences(state), tuple(_times(state)), state.led, earlier)


def competences(state: State) -> tuple[Competence, ...]:
    """Each competence with all that was seen of it."""
    seen = {
        "concepts": [*_questions(state)],
        "derivation": [*_derivation(state)],
        "coding": [*_coding(state, "stub")],
        "debugging": [*_review(state), *_coding(state, "bug")],
        "communication": [*_communication(state)],
    }
    return tuple(Competence(key, title, tuple(_anchored(key, seen[key]))) for key, title in table.COMPETENCES.items())


def _anchored(key: str, evidence: list[Evidence]):
    return (replace(one, anchor=one.anchor or f"{key}-{number}") for number, one in enumerate(evidence, 1))


def _day(state: State) -> str:
    moment = state.at.astimezone()
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def _opening(state: State) -> tuple[str, ...]:
    plan = state.plan
    about = f" on {bank.TOPICS[plan['topic']]}" if plan["topic"] else ""
    used = sum(state.used.values())
    said = [f"A round of {plan['minutes']} minutes, {plan['level']}{about}; {opentext.in_minutes(used)} were used."]
    said[0] += f" Seed {plan['seed']}."
    if state.led:
        said.append("Another person led this round. Where it says so, the marks are theirs.")
    else:
        said.append("Nobody has listened. Where it says “marked by the candidate”, nobody else has checked that.")
    if not state.ended:
        said.append("The round is not over yet.")
    elif state.ended == "ended":
        said.append("The round was ended before all of it was asked.")
    if state.pauses:
        said.append(f"It was paused {'once' if state.pauses == 1 else f'{state.pauses} times'}.")
    return tuple(said)


def _times(state: State):
    for part, minutes in state.plan["parts"].items():
        took, words = state.used[part] / 60, ""
        if not took and not any(told["part"] == part for told in state.answers.values()):
            words = "not reached"
        elif part in state.overtime:
            words = "went on when its time was over"
        elif part in state.closed:
            words = "ended when its time was over"
        yield table.PARTS[part], minutes, took, words


# --- concepts -----------------------------------------------------------------------------------


def _questions(state: State):
    known = {item.id for item in bank.items()}
    for name in state.plan["questions"]:
        if f"q:{name}" not in state.answers or name not in known:
            continue
        item, study = bank.item(name), _reading(bank.item(name))
        yield _of_question(state, item, study)
        for path, node in engine.walk(state, name):
            cited = dict.fromkeys((*study, *_cited(node.sources)))
            evidence = _by_points(state, f"f:{name}:{path}", node.ask, node.points, node.answer, cited)
            if evidence:
                yield evidence


def _of_question(state: State, item, study) -> Evidence:
    told, anchor = state.answers[f"q:{item.id}"], f"q-{item.id}"
    answer = _right(state, item)
    if item.kind == "open" and not state.led:
        return _by_points(state, f"q:{item.id}", item.stem, item.rubric, answer, study, anchor)
    common = {"minutes": told["seconds"] / 60, "note": told.get("note", ""), "answer": answer, "anchor": anchor, "study": study}
    asked = f"{item.stem}\n\n{item.code}" if item.code else item.stem
    if told.get("skipped"):
        return Evidence(asked, "left out", "not answered", **common)
    if "answer" in told:
        shown = prompts.asked(state, item.id)
        rows = asking.in_words(shown, told["answer"])
        said = "; ".join(_labelled(label, text) for label, text in rows) or "nothing"
    else:
        said = "told to the partner"
    return Evidence(asked, said, _measured(told["score"]), told["by"], told["score"], **common)


def _right(state: State, item) -> str:
    rows = [_labelled(label, text) for label, text in prompts.right_in_words(state, item.id)]
    return f"{'; '.join(rows)}. {item.explanation}".replace("..", ".")


def _labelled(label: str, text: str) -> str:
    """“c) the answer”, where the answer has a letter."""
    return f"{label}) {text}" if label else text


def _measured(score: float) -> str:
    return {1: "right", 0: "not right"}.get(score, f"partly right ({score:.0%})")


def _by_points(
    state: State, prompt: str, asked: str, points, answer: str, study, anchor: str = "", worth: bool = False
) -> Evidence | None:
    """Evidence of a text and of the points that were marked for it. None if it was not asked."""
    text, marks = state.answers.get(prompt), state.answers.get(f"{prompt}/marks")
    if text is None and marks is None:
        return None
    said = (text or {}).get("text") or ("told to the partner" if state.led and marks and "marked" in marks else "left out")
    minutes = sum(one["seconds"] for one in (text, marks) if one) / 60
    common = {"minutes": minutes, "answer": answer, "anchor": anchor, "study": tuple(study)}
    if marks is None or "marked" not in marks:
        return Evidence(asked, said, "not marked", **common)
    held = [points[index] for index in marks["marked"] if index < len(points)]
    missing = [point for point in points if point not in held]
    measured = f"{len(held)} of {len(points)} points"
    if worth:
        measured += f", worth {marks['score'] * 10:.0f} of 10"
    measured += f". Missing: {'; '.join(missing)}" if missing else ""
    return Evidence(asked, said, measured, marks["by"], marks["score"], note=marks.get("note", ""), **common)


# --- the other competences ----------------------------------------------------------------------


def _derivation(state: State):
    name = state.plan["whiteboard"]
    board = whiteboards().get(name)
    if board:
        points = [point.text for point in board.rubric]
        study = (*_topics_reading([board.topic]), *_cited(board.sources))
        found = _by_points(
            state, f"w:{name}", board.task, points, board.solution, study, f"w-{name}", worth=True
        )
        if found:
            yield found


def _review(state: State):
    told = state.answers.get(f"r:{state.plan['review']}")
    if told is None:
        return
    script, asked = review.load(state.plan["review"]), f"Review of the script “{state.plan['review']}”"
    study = _topics_reading(table.table()["reviews"].get(state.plan["review"], ()))
    common = {"minutes": told["seconds"] / 60, "note": told.get("note", ""), "study": study, "anchor": "review"}
    said = [f"Line {' or '.join(map(str, one.lines))}: {one.title}. {one.why}" for one in script.faults]
    accused = set(told.get("accused", ()))
    said += [f"Not at fault: {one.title}. {one.why}" for one in script.right if accused & set(one.lines)]
    common["answer"] = "\n".join(said if script.faults else ["The script is without faults.", *said])
    if told.get("skipped"):
        yield Evidence(asked, "left out", "not answered", **common)
        return
    found, of, accused = len(told["found"]), told["of"], told["accused"]
    wrongly = f"{len(accused)} right line{'s' * (len(accused) != 1)} accused"
    missed = [fault.title for place, fault in enumerate(script.faults) if place not in told["found"]]
    measured = f"{found} of {of} faults found, {wrongly} (each takes one off)"
    measured = f"The script has no fault; {wrongly}" if not of else measured
    measured += f". Missed: {'; '.join(missed)}" if missed else ""
    lines = f"lines {', '.join(map(str, told['lines']))}" if told["lines"] else "no line is faulty"
    yield Evidence(asked, lines, measured, "course", _review_score(found, of, len(accused)), **common)


def _review_score(found: int, of: int, accused: int) -> float:
    """The faults that were found less the lines that were accused falsely, of all faults.

    In a script without faults each accusation costs a third.
    """
    return max(0.0, (found - accused) / of if of else 1 - accused / 3)


def _coding(state: State, sort: str):
    if not state.tries or state.file.get("sort") != sort:
        return
    checks = [one for one in state.tries if one.get("did") == "check" and not one.get("ungraded")]
    hints = sum(one.get("did") == "hint" for one in state.tries)
    problem = PROBLEMS[state.file["problem"]]
    minutes = sum(one["seconds"] for one in state.tries) / 60
    said = f"{_times_of(len(checks), 'check')} of the file, {_times_of(hints, 'hint')}; {state.file['path']}"
    study = ((f"notebooks/{problem.notebook}.ipynb", f"{problem.notebook}.ipynb"),)
    common = {"minutes": minutes, "study": study, "anchor": "coding"}
    mistakes = list(dict.fromkeys(one["mistake"] for one in checks if one.get("mistake")))
    common["answer"] = state.file.get("fault", "")
    common["note"] = f"Seen on the way: {' '.join(mistakes)}" if mistakes else ""
    if not checks:
        yield Evidence(state.file["title"], said, "The file was never checked, so nothing is known of it", **common)
        return
    last = checks[-1]
    score = 1.0 if last["solved"] else last["passed"] / last["of"] if "passed" in last else 0.0
    measured = ("Solved. " if last["solved"] else "Not solved. ") + last["message"]
    yield Evidence(state.file["title"], said, measured, "course", score, **common)


def _times_of(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _communication(state: State):
    points = table.table()["communication"]["partner" if state.led else "points"]
    told = state.answers.get("c:communication/marks", {})
    if "marked" in told:
        seen = _by_points(state, "c:communication", "How the whole round was spoken", points, "", ())
        yield replace(seen, answered="nothing of it was recorded")


# --- what to study ------------------------------------------------------------------------------


def _reading(item) -> tuple[tuple[str, str], ...]:
    """Where the answer is proved; where no notebook shows it, the notebook of its topic as well."""
    places = tuple(asking.proof(item)[:2])
    return places if link(item.cell) else (*_topics_reading([item.topic]), *places)


def _cited(keys) -> tuple[tuple[str, str], ...]:
    return tuple((sources()[key].title, sources()[key].link) for key in keys)


def _topics_reading(topics) -> tuple[tuple[str, str], ...]:
    """The notebooks of these topics, by the cells that their questions name."""
    found = []
    for topic in topics:
        cells = [link(item.cell) for item in bank.items(topic) if link(item.cell)]
        notebooks = [cell.partition("#")[0] for cell in cells]
        if notebooks:
            most = max(set(notebooks), key=notebooks.count)
            found.append((f"notebooks/{most}", most))
    return tuple(found)

