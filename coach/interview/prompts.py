"""What is shown at each step of a round, as data that a terminal and a browser draw in their own ways."""

import re
from dataclasses import dataclass

from coach.interview import table
from coach.interview.state import ROUND, State
from coach.interview.whiteboards import whiteboards
from lab import review
from quiz import asking, bank, followups
from quiz.grading import right_answer

LETTERS = asking.LETTERS
PARTNER = " Or only r (right), p (partly) or w (wrong)."
LETTERS_OF = "Type their letters, such as: a c. 0 for none."
LIMITS = {"line": 600, "marks": 300, "text": 1200, "code": 2700, "over": 300}  # seconds that one prompt can cost at most


@dataclass(frozen=True)
class Block:
    """A paragraph ("text"), lines that stay as they are ("code"), or either under a title of its own."""

    text: str
    kind: str = "text"
    title: str = ""


@dataclass(frozen=True)
class Prompt:
    """One step.

    Attributes:
        id: names it in the events.
        kind: "line" for one line, "text" for several, "marks" for letters of points, "code" for the work in a file, "over" when
            the time of a part is over.
        choices: what is chosen from, each with the letter or word that is typed for it.
        pick: whether "one" or "many" of them may be picked; empty if their letters are typed, in an order or for each `left`.
        quick: answers that a browser offers as buttons, each with its words.
        left: what partners are chosen for.
        how: what to type.
        aside: what only a person who leads the round sees.
        opens: it begins something, so it is not asked when the time of its part is over.
    """

    id: str
    part: str
    kind: str
    heading: str
    say: tuple[Block, ...]
    how: str
    choices: tuple[tuple[str, str], ...] = ()
    pick: str = ""
    quick: tuple[tuple[str, str], ...] = ()
    left: tuple[str, ...] = ()
    aside: tuple[Block, ...] = ()
    opens: bool = True

    @property
    def limit(self) -> int:
        """Seconds that it can cost at most: who went away has not thought for so long."""
        return LIMITS[self.kind]


# --- questions and follow-ups -------------------------------------------------------------------


def asked(state: State, name: str) -> asking.Question:
    return asking.question(bank.item(name), state.plan["seed"])


def question(state: State, name: str, number: int) -> Prompt:
    """A question of the bank."""
    shown = asked(state, name)
    item, is_open = shown.item, shown.item.kind == "open"
    say = [Block(item.stem)] + ([Block(item.code, "code")] if item.code else [])
    how, aside, quick = asking.HOW["open"] if is_open else shown.how, (), ()
    pick = {"single": "one", "multiple": "many"}.get(item.kind, "") if not state.led else ""
    if state.led:
        how = "Type r (right), p (partly) or w (wrong)." if is_open else f"What does the candidate say? {shown.how}{PARTNER}"
        quick = (("r", "Right"), ("p", "Partly"), ("w", "Wrong"))
        key = "\n".join(f"{label}  {text}".strip() for label, text in asking.key(shown))
        kind = "code" if item.kind == "prints" else "text"
        aside = (Block(key, kind, "The answer"), Block(item.explanation, title="Why"), *_follow_ups(name))
    return Prompt(
        id=f"q:{name}", part="warmup", kind="text" if is_open and not state.led else "line",
        heading=f"Question {number} of {len(state.plan['questions'])}. {shown.sort}", say=tuple(say), how=how,
        choices=tuple(zip(LETTERS, shown.choices)), pick=pick, quick=quick, left=tuple(shown.left), aside=aside,
    )  # fmt: skip


def _follow_ups(name: str) -> tuple[Block, ...]:
    """What may be asked next, for whoever leads the round."""
    tree = followups.trees().get(name)
    titles = {"right": "If right", "wrong": "If wrong", "vague": "If partly right"}
    return tuple(Block(getattr(tree, branch).ask, title=title) for branch, title in titles.items()) if tree else ()


def follow_up(state: State, name: str, path: str, node) -> Prompt:
    """What the interviewer asks next. Who leads the round marks the points at once."""
    say, heading = (Block(node.ask),), "And then"
    if state.led:
        aside = (Block(node.answer, title="The answer"),)
        return _points(state, f"f:{name}:{path}/marks", "warmup", heading, say, node.points, aside)
    return Prompt(f"f:{name}:{path}", "warmup", "text", heading, say, asking.HOW["open"])


def marks(state: State, prompt: str, part: str, points, model: tuple[Block, ...] = ()) -> Prompt:
    """One's own text beside the key points and a good answer."""
    own = Block(state.answers[prompt].get("text", "") or "(nothing)", "code", "Your text")
    return _points(state, f"{prompt}/marks", part, "Key points", (own, *model), points, opens=False)


def _points(state, id_, part, heading, say, points, aside=(), opens=True, which="") -> Prompt:
    who = which or ("Which of them did the candidate say?" if state.led else "Which of these did your text hold?")
    note = " A note may stand behind a /." if state.led else ""
    choices = tuple(zip(LETTERS, points))
    how = f"{who} {LETTERS_OF}{note}"
    none = (("0", "None of them"),)
    return Prompt(id_, part, "marks", heading, tuple(say), how, choices, "many", aside=aside, quick=none, opens=opens)


# --- the other parts ----------------------------------------------------------------------------


def whiteboard(state: State) -> Prompt:
    board = whiteboards()[state.plan["whiteboard"]]
    heading, say = f"Whiteboard. {bank.TOPICS[board.topic]}, {board.level}", (Block(flowing(board.task), "lines"),)
    if state.led:
        aside = (Block(board.solution, "code", "The solution"),)
        return _points(state, f"w:{state.plan['whiteboard']}/marks", "whiteboard", heading, say, worths(board), aside)
    how = "Derive it here or on paper, then type what you would say. An empty line ends your answer."
    return Prompt(f"w:{state.plan['whiteboard']}", "whiteboard", "text", heading, say, how)


def flowing(text: str) -> str:
    """Paragraphs without the line breaks of the file, so that they fit any width. Lines that are indented stay as they are."""
    return re.sub(r"(?<=\S)\n(?=\S)", " ", text)


def worths(board) -> list[str]:
    return [f"{point.text} ({point.worth})" for point in board.rubric]


def code_review(state: State) -> Prompt:
    name = state.plan["review"]
    found = review.load(name)
    numbered = "\n".join(f"{number:2}  {line}".rstrip() for number, line in enumerate(found.script.splitlines(), 1))
    who = "Which lines does the candidate call faulty?" if state.led else "Which lines are faulty?"
    aside = tuple(Block(f"{' or '.join(map(str, one.lines))}: {one.title}. {one.why}") for one in found.faults)
    aside = (Block("" if aside else "There is none.", title="The faults"), *aside) if state.led else ()
    say = (Block("Review this script before it is merged. It may be without faults."), Block(numbered, "code"))
    how = f"{who} Type their numbers, such as: 4 17. 0 for none."
    return Prompt(f"r:{name}", "review", "line", "Code review", say, how, aside=aside)


def coding(state: State) -> Prompt:
    """The file, the task, and what the last check has said."""
    last = state.tries[-1] if state.tries else {}
    say = [Block(state.file["task"])]
    if state.file.get("note"):
        say.append(Block(state.file["note"]))
    say.append(Block(state.file["path"], "code", "The file"))
    if last.get("message"):
        say.append(Block(last["message"], title="Hint" if last["did"] == "hint" else "The last check"))
    how = "Work in the file with your own editor and save it. Then: check. Or: hint, or: give up."
    aside = tuple(Block(one["text"], one["kind"], one["title"]) for one in state.file.get("aside", ())) if state.led else ()
    quick = (("check", "Check the file"), ("hint", "A hint"), ("give up", "Give up"))
    heading = "A bug to find" if state.file["sort"] == "bug" else "A function to write"
    return Prompt(f"k:{len(state.tries)}", "coding", "code", heading, tuple(say), how, quick=quick, aside=aside)


def communication(state: State) -> Prompt:
    points = table.table()["communication"]["partner" if state.led else "points"]
    which = f"Which of these did {'the candidate' if state.led else 'you'} do, every time it would have fitted?"
    say = (Block("Think back to the whole round."),)
    return _points(state, "c:communication/marks", "close", "Communication", say, points, which=which)


def over(state: State, part: str) -> Prompt:
    words = f"The time for this part is over: {state.plan['parts'][part]} minutes."
    say = (Block(f"{words} An interviewer would go on with the next one. If you stay, the debrief says so."),)
    quick = (("next", "Go on with what comes next"), ("more", "Stay with this part"))
    how = "Enter goes on with what comes next. “more” stays with this part."
    return Prompt(f"over:{part}", part, "over", f"{table.PARTS[part]}: time", say, how, quick=quick, opens=False)


def round_over(state: State, part: str) -> Prompt:
    words = f"The round is over: {state.plan['minutes']} minutes."
    say = (Block(f"{words} An interviewer would stop here. If you stay, the debrief says so."),)
    quick = (("next", "Close the round"), ("more", "Stay"))
    how = "Enter closes the round; what was not asked is left out. “more” goes on."
    return Prompt(f"over:{ROUND}", part, "over", "The round: time", say, how, quick=quick, opens=False)


def right_in_words(state: State, name: str) -> list[tuple[str, str]]:
    """The right answer of a question, as it was shown."""
    shown = asked(state, name)
    return asking.in_words(shown, right_answer(shown.item)) if shown.choices else asking.key(shown)
