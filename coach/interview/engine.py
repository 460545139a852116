"""The rules of a round: what comes next, and what an answer does. Both are pure, so that a terminal and a browser share them.

A question that was right is followed by a deeper one, one that was wrong by the belief behind it, and one that was partly right
by “what exactly?”. What the course cannot grade is marked point by point: by the candidate, or by whoever leads the round.
"""

import re
from collections.abc import Iterator

from coach import beliefs
from coach.interview import prompts
from coach.interview.prompts import Block, Prompt
from coach.interview.state import ROUND, State
from coach.interview.whiteboards import whiteboards
from lab import review
from quiz import asking, bank, followups
from quiz.grading import BadAnswer, grade

VERDICTS = {"r": 1.0, "p": 0.5, "w": 0.0}
NONE = ("0", "-", "none")
LAST = 40_000  # letters of one answer
COMMANDS = "“skip” leaves this out, “pause” stops the clock, “end” ends the round with its debrief, “quit” leaves it for later."


def next_prompt(state: State) -> Prompt | None:
    """The next step, or None if the round has come to its end."""
    if state.ended:
        return None
    for part in state.plan["parts"]:
        found = None if part in state.closed else PARTS[part](state)
        if found is None:
            continue
        if found.opens and state.left() <= 0 and ROUND not in state.overtime and part != "close":
            return prompts.round_over(state, part)
        if found.opens and state.left(part) <= 0 and part not in state.overtime:
            return prompts.over(state, part)
        return found
    return None


def take(state: State, prompt: Prompt, answer: str, seconds: float = 0, verdict: dict | None = None) -> list[tuple[str, dict]]:
    """The events that an answer brings about.

    Args:
        answer: what was typed.
        seconds: that the prompt took; at most its limit counts.
        verdict: what checking the file has found, see `needs_check`.

    Raises:
        BadAnswer: the answer is not of the form that the prompt needs. The message says which. Nothing has changed.
    """
    text = answer.encode("utf-8", "replace").decode("utf-8").strip()[:LAST]
    common = {"round": state.number, "part": prompt.part, "seconds": round(max(0.0, min(seconds, prompt.limit)), 1)}
    if text.lower() == "end":
        return [("round-part", common | {"what": "left"}), ("round-end", {"round": state.number, "why": "ended"})]
    if prompt.kind == "over":
        what = _what_follows(text)
        return [("round-part", common | {"what": f"round-{what}" if prompt.id == f"over:{ROUND}" else what})]
    if text.lower() in ("skip", "give up"):
        told = {"skipped": True}
    else:
        told = TAKE[prompt.id.partition(":")[0]](state, prompt, text, verdict)
    return [("round-answer", common | {"prompt": prompt.id} | told)]


def needs_check(prompt: Prompt, answer: str) -> bool:
    """Whether the file is to be checked before the answer can be taken."""
    return prompt.kind == "code" and answer.strip().lower() in ("", "check")


def _what_follows(text: str) -> str:
    if text.lower() in ("", "next", "n", "skip"):
        return "closed"
    if text.lower() in ("more", "m", "stay"):
        return "overtime"
    raise BadAnswer("Press Enter to go on with what comes next, or type: more")


# --- what comes next in each part ---------------------------------------------------------------


def outcome(answer: dict) -> str:
    """What a graded or marked answer was: right, wrong, or vague if only a part of it was right."""
    return {1: "right", 0: "wrong"}.get(answer["score"], "vague")


def walk(state: State, name: str) -> Iterator[tuple[str, object]]:
    """The follow-ups to which the answers of a round have led, behind one question, with the way to each.

    The last one may be waiting for its answer.
    """
    answer = _marked(state, f"q:{name}", bank.item(name).kind == "open" and not state.led)
    node, path = followups.trees().get(name), []
    while node and answer and "score" in answer and len(path) < state.plan["depth"]:
        here, said = node, outcome(answer)
        node = followups.follow(here, said, answer.get("beliefs", ()))
        if node is None:
            return
        path.append(next(branch for branch, one in followups.branches(here).items() if one is node))
        way = ".".join(path)
        yield way, node
        answer = _marked(state, f"f:{name}:{way}", True)


def _marked(state: State, prompt: str, by_points: bool) -> dict | None:
    return state.answers.get(f"{prompt}/marks") if by_points else state.answers.get(prompt)


def _warmup(state: State) -> Prompt | None:
    known = {item.id for item in bank.items()}
    for number, name in enumerate(state.plan["questions"], 1):
        found = _behind(state, name, number) if name in known else None
        if found:
            return found
    return None


def _behind(state: State, name: str, number: int) -> Prompt | None:
    """The question, its marks, or the follow-up that is open."""
    first = f"q:{name}"
    if first not in state.answers:
        return prompts.question(state, name, number)
    item = bank.item(name)
    if item.kind == "open" and not state.led and _waits(state, first):
        return prompts.marks(state, first, "warmup", item.rubric)
    for path, node in walk(state, name):
        one = f"f:{name}:{path}"
        if one not in state.answers and f"{one}/marks" not in state.answers:
            return prompts.follow_up(state, name, path, node)
        if _waits(state, one):
            return prompts.marks(state, one, "warmup", node.points, (Block(node.answer, title="A good answer"),))
    return None


def _waits(state: State, prompt: str) -> bool:
    """Whether a text was written that nobody has marked."""
    return "text" in state.answers.get(prompt, {}) and f"{prompt}/marks" not in state.answers


def _whiteboard(state: State) -> Prompt | None:
    name = state.plan["whiteboard"]
    first = f"w:{name}"
    if name not in whiteboards() or f"{first}/marks" in state.answers or state.answers.get(first, {}).get("skipped"):
        return None
    if first not in state.answers:
        return prompts.whiteboard(state)
    board = whiteboards()[name]
    return prompts.marks(state, first, "whiteboard", prompts.worths(board), (Block(board.solution, "code", "The solution"),))


def _review(state: State) -> Prompt | None:
    return None if f"r:{state.plan['review']}" in state.answers else prompts.code_review(state)


def _coding(state: State) -> Prompt | None:
    if any(one.get("solved") or one.get("skipped") for one in state.tries):
        return None
    return prompts.coding(state) if state.file else BEFORE_FILE


BEFORE_FILE = Prompt("file", "coding", "code", "Coding", (), "")  # never shown: the file is made first


def _close(state: State) -> Prompt | None:
    return None if "c:communication/marks" in state.answers else prompts.communication(state)


PARTS = {"warmup": _warmup, "whiteboard": _whiteboard, "review": _review, "coding": _coding, "close": _close}


# --- what an answer is worth --------------------------------------------------------------------


def _take_question(state: State, prompt: Prompt, text: str, verdict) -> dict:
    if prompt.kind == "marks":
        return _take_marks(state, prompt, text, verdict)
    shown = prompts.asked(state, prompt.id[2:])
    text, note = _with_note(state, text)
    if state.led and text.lower() in VERDICTS:
        return {"score": VERDICTS[text.lower()], "by": "partner"} | note
    if state.led and prompt.kind == "line" and shown.item.kind == "open":
        raise BadAnswer("Type r for right, p for partly or w for wrong.")
    if prompt.kind == "text":
        return _take_text(text)
    answer = asking.understand(shown, text)
    score = grade(shown.item, answer).score
    return {"answer": answer, "score": score, "by": "course", "beliefs": beliefs.named(shown.item, answer)} | note


def _take_text(text: str) -> dict:
    if not text:
        raise BadAnswer("Nothing was typed. Say what you can, or type: skip")
    return {"text": text}


def _take_marks(state: State, prompt: Prompt, text: str, verdict) -> dict:
    text, note = _with_note(state, text)
    if not text:
        raise BadAnswer("Nothing was chosen. Choose the points by their letters, such as “a c”, or say that it is none of them, with 0.")
    letters = [] if text.lower() in NONE else re.split(r"[\s,;.]+", text.lower().strip(" ,;."))
    letters = list(letters[0]) if len(letters) == 1 else letters
    known = [letter for letter, _ in prompt.choices]
    for letter in letters:
        if letter not in known:
            raise BadAnswer(f"{letter[:20]!r} is none of the letters {known[0]} to {known[-1]}. Type 0 for none.")
    marked = sorted({known.index(letter) for letter in letters})
    return {"marked": marked, "of": len(known), "score": _worth(prompt, marked), "by": state.marker} | note


def _worth(prompt: Prompt, marked: list[int]) -> float:
    """The share of the points; on the whiteboard each has a weight."""
    if prompt.id.startswith("w:"):
        rubric = whiteboards()[prompt.id[2:].partition("/")[0]].rubric
        return sum(rubric[index].worth for index in marked) / sum(point.worth for point in rubric)
    return len(marked) / len(prompt.choices)


def _take_written(state: State, prompt: Prompt, text: str, verdict) -> dict:
    return _take_marks(state, prompt, text, verdict) if prompt.kind == "marks" else _take_text(text)


def _take_review(state: State, prompt: Prompt, text: str, verdict) -> dict:
    text, note = _with_note(state, text)
    if not text:
        raise BadAnswer("Nothing was typed. Type the numbers of the lines, such as: 4 17. Type 0 if nothing is wrong.")
    script = review.load(prompt.id[2:])
    last = len(script.script.splitlines())
    lines = set()
    for token in [] if text.lower() in NONE else re.split(r"[\s,;]+", text.strip(" ,;.")):
        if not (token.isascii() and token.isdecimal() and 1 <= int(token[:6]) <= last):
            raise BadAnswer(f"{token[:20]!r} is no line of the script. Type whole numbers from 1 to {last}, or 0 for none.")
        lines.add(int(token))
    found = [place for place, fault in enumerate(script.faults) if lines & set(fault.lines)]
    accused = sorted(lines - {line for fault in script.faults for line in fault.lines})
    return {"lines": sorted(lines), "found": found, "of": len(script.faults), "accused": accused, "by": "course"} | note


def _take_code(state: State, prompt: Prompt, text: str, verdict: dict | None) -> dict:
    if text.lower() in ("", "check"):
        if verdict is None:
            raise BadAnswer("The file could not be checked. Try again with: check")
        return {"did": "check", "by": "course"} | verdict
    if text.lower() != "hint":
        raise BadAnswer("Type check, hint or give up. Your code belongs into the file.")
    given = sum(one.get("did") == "hint" for one in state.tries)
    hints = next((one["hints"] for one in reversed(state.tries) if one.get("hints")), state.file.get("hints", []))
    if not hints:
        raise BadAnswer("There is no hint yet: check your file first, and the hint is for what it shows.")
    return {"did": "hint", "message": hints[min(given, len(hints) - 1)]}


def _with_note(state: State, text: str) -> tuple[str, dict]:
    """Whoever leads the round may put a note behind a slash."""
    if not state.led or "/" not in text or re.fullmatch(r"[\d\s]+/[\d\s]+", text):  # 2/3 is a number
        return text, {}
    text, _, note = text.partition("/")
    return text.strip(), {"note": note.strip()} if note.strip() else {}


TAKE = {
    "q": _take_question, "f": _take_written, "w": _take_written, "r": _take_review, "k": _take_code, "c": _take_marks,
}  # fmt: skip
