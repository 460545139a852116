"""A package of Anki decks, written by genanki: a deck a topic, a note an item.

Note type, decks and notes keep their ids, so that a second import updates what the first has brought, and keeps its schedule.
"""

import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from quiz import asking
from quiz.bank import Item
from quiz.export import content
from quiz.export.notes import Notes
from quiz.register import Broken

MISSING = "For Anki's format genanki is needed. Install it with: pip install -r requirements-export.txt -c constraints.txt"
FIELDS = ["Id", "Question", "Choices", "Answer", "Reason"]  # the first is what Anki looks for doubles in
FRONT = """<div class="question">{{Question}}</div>
{{#Choices}}<div class="choices">{{Choices}}</div>{{/Choices}}"""
BACK = """{{FrontSide}}
<hr id="answer">
<div class="answer">{{Answer}}</div>
<div class="reason">{{Reason}}</div>"""
CSS = """.card { font-family: system-ui, sans-serif; font-size: 18px; line-height: 1.45; text-align: left;
  max-width: 42em; margin: 0 auto; padding: 0.5em; color: #1c1e21; background: #ffffff; }
.question { font-size: 1.1em; }
.choices ol { padding-left: 1.6em; }
.choices ol, .choices ul { margin: 0.6em 0; }
li { margin: 0.25em 0; }
pre { background: #f2f3f5; padding: 0.7em; border-radius: 6px; overflow-x: auto; font-size: 0.85em; line-height: 1.35; }
code { font-family: ui-monospace, Menlo, Consolas, monospace; }
p code, li code { background: #f2f3f5; padding: 0.1em 0.3em; border-radius: 4px; }
.unit, .task, .reason { font-size: 0.95em; }
.task, p.wrong { color: #5a6068; margin-bottom: 0.2em; }
.answer { font-weight: 600; }
.answer p { margin: 0.3em 0; }
.wrong li p { margin: 0.15em 0; font-size: 0.95em; }
a { color: #0b57d0; }
hr { border: 0; border-top: 1px solid #c9ccd1; }
.nightMode .card, .card.nightMode { color: #e6e8eb; background: #1f2225; }
.nightMode pre, .nightMode p code, .nightMode li code { background: #2c3034; }
.nightMode .task, .nightMode p.wrong { color: #a7adb5; }
.nightMode a { color: #8ab4f8; }
.nightMode hr { border-top-color: #4a4f55; }"""


def write(items: Sequence[Item], notes: Notes) -> bytes:
    genanki = _library()
    model = genanki.Model(
        _number("note type"), content.COURSE, css=CSS, fields=[{"name": name} for name in FIELDS],
        templates=[{"name": "Question", "qfmt": FRONT, "afmt": BACK}],
    )  # fmt: skip
    decks = []
    for title, group in content.by_topic(items).items():
        deck = genanki.Deck(_number(group[0].topic), f"{content.COURSE}::{content.plain(title)}")
        for item in group:
            guid = genanki.guid_for("finetuning-course", item.id)
            deck.add_note(genanki.Note(model=model, fields=_fields(item), guid=guid, tags=_tags(item)))
            if item.kind in ("numeric", "prints", "open"):
                notes.add("Anki grades nothing that is typed: you compare your answer with the back of the card.", item.id)
        decks.append(deck)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questions.apkg"
        genanki.Package(decks).write_to_file(path)
        return path.read_bytes()


def _library():
    try:
        import genanki
    except ImportError:
        raise Broken(MISSING) from None
    return genanki


def _number(name: str) -> int:
    """A number for a deck or note type, as Anki wants it: always the same for the same name."""
    return 2**30 + int.from_bytes(sha256(f"finetuning-course {name}".encode()).digest()[:4], "big") % 2**30


def _tags(item: Item) -> list[str]:
    """Tags in Anki's tree. A tag has no blanks."""
    named = {"topic": item.topic, "level": item.level, "kind": item.kind, "about": item.about}
    return [f"finetuning::{name}::{'-'.join(content.clean(value).split())}" for name, value in named.items()]


def _fields(item: Item) -> list[str]:
    shown = asking.question(item)
    return [
        content.plain(item.id),
        content.html([*content.question(item), *_task(item)]),
        _choices(shown),
        content.html(_answer(shown)),
        content.html([*content.paragraphs(item.explanation), *_wrong(shown), content.proof(item)]),
    ]


def _task(item: Item) -> list[content.Element]:
    """How many options are right, which a card cannot show by the form of its buttons."""
    told = {"single": "One is right.", "multiple": "Several are right."}.get(item.kind)
    return [content.inline("p", told, **{"class": "task"})] if told else []


def _choices(shown: asking.Question) -> str:
    """What is chosen from, by letters, in the order that the quiz shows; before it, what partners are chosen for."""
    parts = [content.bullets(shown.left)] if shown.left else []
    if shown.choices:
        lettered = content.bullets(shown.choices)
        lettered.tag = "ol"
        lettered.set("type", "a")
        parts.append(lettered)
    return content.html(parts)


def _answer(shown: asking.Question) -> list[content.Element]:
    if shown.item.kind == "open":
        return content.key_points(shown.item)
    if shown.item.kind == "prints":
        return [content.code(shown.item.output)]
    rows = []
    for label, text in asking.key(shown):
        letter = f"{label.split()[-1]}. " if label else ""  # a label may have the number of a left side, which no card shows
        rows.append(content.inline("p", letter + text))
    return rows


def _wrong(shown: asking.Question) -> list[content.Element]:
    """The wrong answers that the bank knows, each with its belief and what is true."""
    letters = dict(zip((shown.item.choices[index] for index in shown.order), asking.LETTERS))
    known = content.Element("ul", {"class": "wrong"})
    for text, wrong in sorted(content.wrong_answers(shown.item), key=lambda known: letters.get(known[0], "")):
        entry = content.inline("li", f"{letters[text]}. {text}" if text in letters else text)
        entry.extend(content.mistake(wrong))
        known.append(entry)
    return [content.inline("p", "Not right, and why:", **{"class": "wrong"}), known] if len(known) else []
