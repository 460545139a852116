"""The quiz in a notebook: a widget that asks, and a still page for whoever reads the notebook without a kernel.

The browser (`question.js`, `widget.js`) draws the questions and sends what was chosen or typed, as letters or text, in
the forms of the terminal. Everything else happens here, in the kernel: answers are understood, graded and recorded.
"""

import html
import io
import sqlite3
from pathlib import Path

import anywidget
import traitlets
from IPython import get_ipython
from rich.console import Console

from desk.markup import marked
from quiz import asking, bank, keyless, store, terminal
from quiz.grading import BadAnswer, grade
from quiz.register import NOTEBOOKS

# What to do, where it differs from the terminal.
HOW = {
    "single": "Choose one.",
    "multiple": "Several are right. Choose them.",
    "ordering": "Move the steps up or down. The first step stands first.",
    "matching": "Choose a partner for each. Each partner belongs to one.",
    "open": "Answer in your own words, then compare with the key points.",
}
SIGNS = {"right": "✓", "partly right": "◐", "not right": "✗"}
HERE = Path(__file__).parent


def show(
    topic: str | None = None, level: str | None = None, count: int | None = None, seed: int = 0, article: bool = False
) -> "Quiz | Page":
    """The questions of a topic and a level in a notebook, at most `count` of them. None stands for all.

    With `article` they are the questions about the errors of the article that the course corrects. Else they are the others.
    The seed decides which are asked, in which order, and the order of their choices. Where a program runs the notebook
    and no person (nbconvert, nbval), this is the still page: a saved widget needs its kernel, and shows nothing later.

    Raises:
        ValueError: there is no such topic or level, no question that fits, or count is not 1 or more.
    """
    if count is not None and (not isinstance(count, int) or count < 1):
        raise ValueError(f"count is {count!r}; a whole number from 1 on is wanted")
    if not bank.has_questions():
        return Page([])
    names = terminal.plan(topic, level, count, seed, False, (), "article" if article else "interview")["items"]
    asked = [asking.question(bank.item(name), seed) for name in names]
    return Quiz(asked) if _someone_is_there() else Page(asked)


def _someone_is_there() -> bool:
    """Whether a person can answer: a program that runs a notebook tells the kernel that nobody can type."""
    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is None or kernel.get_parent().get("content", {}).get("allow_stdin", True)


def _module() -> str:
    """What the browser loads, as one module: the drawing of a question, and the notebook's side of it."""
    question, notebook = ((HERE / name).read_text(encoding="utf-8") for name in ("question.js", "widget.js"))
    return question + notebook.replace('import { ask, make } from "./question.js";\n', "")


class Quiz(anywidget.AnyWidget):
    """Questions in a notebook. Each press of “Check” is one attempt."""

    _esm = _module()
    _css = HERE / "widget.css"
    questions = traitlets.List().tag(sync=True)  # what the browser draws, without the keys
    progress = traitlets.Unicode().tag(sync=True)

    def __init__(self, asked: list[asking.Question]):
        self.asked = asked
        self.scores: dict[str, float | None] = {}  # of the last attempt, by item
        drawn = [_drawn(one, number, len(asked)) for number, one in enumerate(asked, 1)]
        super().__init__(questions=drawn, progress=self._progress())
        self.on_msg(lambda _, message, buffers: self.send(self.reply(message)))

    def reply(self, message: dict) -> dict:
        """What the browser shows after a button was pressed. Grades and records if the answer can be graded.

        message: `number`, the place of the question; `answer`, a text or letters; for an open question also `marks`,
            the letters of the key points that were said, or None as long as they are not shown.
        Returns: `number`, and one of `problem` (a sentence), `points` (the key points), `kept` (who grades) or `lines`
            (the feedback) with `proof` (where to read).
        """
        number = message["number"]
        asked = self.asked[number]
        try:
            answer = _understood(asked, message["answer"])
            if asked.rubric:
                if message["marks"] is None:
                    return {"number": number, "points": list(asked.rubric)}
                answer = asking.marks(asked, message["marks"])
            result = grade(asked.item, answer)
        except BadAnswer as error:
            words = str(error)
            return {"number": number, "problem": words[:1].upper() + words[1:].rstrip(".") + "."}
        remark = self._record(asked.item, *asking.record(asked.item, answer, result))
        if result is None:
            return {"number": number, "kept": remark or keyless.KEPT}
        return {
            "number": number,
            "verdict": result.verdict,
            "sign": SIGNS[result.verdict],
            "lines": _feedback(asked, result),
            "proof": {
                "places": [{"title": title, "link": link} for title, link in asking.proof(asked.item)],
                "folder": NOTEBOOKS.as_posix(),
            },
            "remark": remark,
            "progress": self.progress,
        }

    def _record(self, item, score: float | None, answer) -> str:
        """Stores the attempt as the terminal does. Returns what the person should know about the store, or nothing."""
        self.scores[item.id] = score
        self.progress = self._progress()
        try:
            kept = store.Store()
            kept.add(item, score, answer, store.now())
        except (OSError, sqlite3.Error, ValueError) as error:
            return f"This answer was not recorded: {str(error).rstrip('.')}."
        return kept.note

    def _progress(self) -> str:
        words = f"Answered {len(self.scores)} of {len(self.asked)}"
        if not bank.has_keys():
            return f"{words}. {keyless.WHO} {keyless.HAND_IN}"
        return f"{words}, {sum(score == 1 for score in self.scores.values())} right."

    def _repr_mimebundle_(self, **kwargs):
        """The live widget, and the still page for everything that cannot show one."""
        still = Page(self.asked)
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/html": still._repr_html_(), "text/plain": repr(still)}, metadata


def _understood(asked: asking.Question, answer: str):
    """The answer as data. BadAnswer says what to do here, where it differs from what to type in a terminal."""
    try:
        return asking.understand(asked, answer)
    except BadAnswer:
        if asked.item.kind in HOW:
            raise BadAnswer(f"This cannot be graded yet. {_how(asked)}") from None
        raise


def _how(asked: asking.Question) -> str:
    is_without_points = asked.item.kind == "open" and not asked.rubric
    return "Answer in your own words." if is_without_points else HOW.get(asked.item.kind, asked.how)


def _drawn(asked: asking.Question, number: int, count: int) -> dict:
    """A question as the browser needs it. Nothing in it tells the answer."""
    return {
        "kind": asked.item.kind,
        "heading": _heading(asked, number, count),
        "stem": asked.item.stem,
        "code": asked.item.code.strip("\n"),
        "how": _how(asked),
        "button": "Compare with the key points" if asked.rubric else "Check" if bank.has_keys() else "Keep my answer",
        "unit": getattr(asked.item, "unit", ""),
        "choices": list(asked.choices),
        "left": list(asked.left),
    }


def _heading(asked: asking.Question, number: int, count: int) -> str:
    return f"Question {number} of {count}. {asked.sort}."


def _feedback(asked: asking.Question, result) -> list[str]:
    """What the terminal says, without letters: the browser shows none."""
    key = [] if result.right or asked.item.kind == "open" else [f"Answer: {result.key}"]
    return [asking.verdict(result), *result.replies, *key, asked.item.explanation]


# --- without a kernel ---------------------------------------------------------------------------


class Page:
    """Questions to be read: as text without keys, or as HTML with folded answers, without scripts."""

    def __init__(self, asked: list[asking.Question]):
        self.asked = asked

    def __repr__(self) -> str:
        if not self.asked:
            return bank.NO_QUESTIONS
        console = Console(file=io.StringIO(), width=100, highlight=False, force_terminal=False, force_jupyter=False)
        for number, one in enumerate(self.asked, 1):
            terminal.show(terminal.Terminal(console), one, f"Question {number} of {len(self.asked)}")
        return console.file.getvalue().strip()

    def _repr_html_(self) -> str:
        count = len(self.asked)
        if not count:
            return f"<p>{bank.NO_QUESTIONS}</p>"
        sections = [_section(one, _heading(one, number, count)) for number, one in enumerate(self.asked, 1)]
        return "<hr>\n".join(sections if bank.has_keys() else [*sections, f"<p>{keyless.WHO}</p>"])


def _section(asked: asking.Question, heading: str) -> str:
    item = asked.item
    parts = [f"<p><strong>{marked(heading)}</strong></p>", f"<p>{marked(item.stem)}</p>"]
    if item.code:
        code = html.escape(item.code.strip("\n"))
        parts.append(f"<pre><code>{code}</code></pre>")
    if asked.left:
        parts.append(_list(asked.left, "decimal"))
    if asked.choices:
        parts.append(_list(asked.choices, "lower-alpha"))
    if item.kind == "numeric":
        parts.append(f"<p>Unit: {marked(item.unit)}</p>")
    if isinstance(item, keyless.Item):
        return "".join(parts)
    rows = [f"{label}. {text}" if label else text for label, text in asking.key(asked)]
    key = html.escape("\n".join(rows)).replace("\n", "<br>")
    proof = "; ".join(f'<a href="{html.escape(link)}">{marked(title)}</a>' for title, link in asking.proof(item))
    parts.append(
        f"<details><summary>Answer</summary><p><strong>{key}</strong></p>"
        f"<p>{marked(item.explanation)}</p><p>Proof: {proof}</p></details>"
    )
    return "".join(parts)


def _list(texts, numbering: str) -> str:
    rows = "".join(f"<li>{marked(one)}</li>" for one in texts)
    return f'<ol style="list-style-type: {numbering}">{rows}</ol>'
