"""The quiz of the web edition: its script, its style, and the bank as one script a topic.

A page has places for it, which the script fills: `<div class="course-quiz" data-topic="lora"></div>`, with the arguments of
`quiz.show` as `data-topic`, `data-level`, `data-count` and `data-article`; and the quiz's own page has
`<div class="course-quiz-desk"></div>`.
"""

import json
from pathlib import Path

from quiz import asking, bank, widget
from quiz.bank import Item
from quiz.register import link
from web import bundle

SITE = Path(__file__).resolve().parent.parent
SCRIPTS = SITE / "scripts" / "quiz"
STYLES = (widget.HERE / "widget.css", SITE / "styles" / "quiz.css")
SCHEDULER = SITE / "vendor" / "ts-fsrs" / "ts-fsrs.js"
COMMON = ("id", "kind", "level", "about", "stem", "code", "explanation")
FIELDS = {  # of each kind, beside those of all: what an item needs to be asked and graded
    "single": ("options",), "multiple": ("options",), "numeric": ("value", "unit", "tolerance", "slips"),
    "prints": ("output", "slips"), "ordering": ("steps",), "matching": ("pairs",), "open": ("rubric",),
}  # fmt: skip
LEFT_OUT = {"formula", "arguments"}  # of a slip: its value is there


def write(static: Path) -> None:
    """Writes scripts and style into a folder, which is made if need be. A page loads quiz.js and quiz.css alone."""
    static.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (static / name).write_text(content, encoding="utf-8")


def files() -> dict[str, str]:
    """The content of these files by name."""
    banks = {f"bank-{topic}.js": _bank(topic) for topic in bank.TOPICS}
    return banks | {
        "quiz.js": f"window.courseQuiz = {_json(index())};\n{bundle.script(SCRIPTS / 'main.js')}",
        "quiz-desk.js": bundle.script(SCRIPTS / "desk-main.js"),
        "quiz.css": "\n".join(path.read_text(encoding="utf-8") for path in STYLES),
        "ts-fsrs.js": f"/*\n{(SCHEDULER.parent / 'LICENSE').read_text(encoding='utf-8')}*/\n{SCHEDULER.read_text(encoding='utf-8')}",
    }


def index() -> dict:
    """What the page knows before it loads a topic: which items there are, and the words of terminal and widget."""
    topics = {
        topic: {"title": title, "items": [[one.id, one.level, int(one.about == "article")] for one in bank.items(topic)]}
        for topic, title in bank.TOPICS.items()
    }
    words = {"typed": asking.HOW, "percent": asking.HOW_PER_CENT, "compare": asking.COMPARE}
    words |= {"here": widget.HOW, "signs": widget.SIGNS}
    return {"topics": topics, "levels": bank.LEVELS, "words": words}


def packed(item: Item) -> dict:
    """An item as the page gets it, with a computed key, and its proof as titles and addresses."""
    whole = item.model_dump(mode="json", include={*COMMON, *FIELDS[item.kind]})
    for slip in whole.get("slips", ()):
        for name in LEFT_OUT & slip.keys():
            del slip[name]
    return whole | {"places": [(title, _address(item, place)) for title, place in asking.proof(item)]}


def _address(item: Item, place: str) -> str:
    """Of a source its own. A notebook's cell is a place on a page of the site."""
    if place != link(item.cell):
        return place
    return f"notebooks/{place.replace('.ipynb#', '.html#', 1)}"


def _bank(topic: str) -> str:
    items = bank.items(topic)
    beliefs = {part.belief for item in items for part in (*getattr(item, "options", ()), *getattr(item, "slips", ()))}
    known = {name: one.model_dump() for name, one in bank.misconceptions().items() if name in beliefs}
    told = {"items": [packed(item) for item in items], "misconceptions": known}
    return f"(window.courseBank ??= {{}})[{_json(topic)}] = {_json(told)};\n"


def _json(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
