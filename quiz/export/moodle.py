"""Moodle XML, as Moodle's own `question/format/xml` reads it.

Credit is as in `quiz.grading`, but for ordering. A tolerance is absolute in Moodle, and a unit has a multiplier: how many of
it are one of the item's unit. Moodle compares with the answers from top to bottom, so known mistakes come first, as in ours.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from quiz.bank import Item
from quiz.export import content
from quiz.export.notes import Notes

TYPES = {
    "single": "multichoice", "multiple": "multichoice", "numeric": "numerical", "prints": "shortanswer",
    "ordering": "ordering", "matching": "matching", "open": "essay",
}  # fmt: skip
_BYTES = {
    "bytes": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_MULTIPLES = {"thousand": 1e3, "k": 1e3, "K": 1e3, "million": 1e6, "M": 1e6, "billion": 1e9, "B": 1e9, "G": 1e9}


def write(items: Sequence[Item], notes: Notes) -> str:
    quiz = Element("quiz")
    for title, group in content.by_topic(items).items():
        quiz.append(_category(title, group[0].topic))
        for item in group:
            quiz.append(_question(item))
            if item.kind in NOTES:
                notes.add(NOTES[item.kind], item.id)
    indent(quiz)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(quiz, encoding="unicode") + "\n"


NOTES = {
    "ordering": "Moodle has the question type “ordering” since 4.4 (before, as the plugin qtype_ordering). It counts the pairs "
    "in the right order as the course does, but does not take off what chance gives.",
    "numeric": "Moodle reads no fraction such as 2/3, and it reads 1,200 as 1.2.",
    "prints": "Moodle compares what is typed letter by letter; the right values in another form get no reply of their own.",
}  # fmt: skip


def category_path(title: str) -> str:
    """Where the questions of a topic go. A stroke in a name is doubled there."""
    return "$course$/top/" + "/".join(name.replace("/", "//") for name in (content.COURSE, content.plain(title)))


def _category(title: str, topic: str) -> Element:
    category = Element("question", type="category")
    _text(category, "category", category_path(title))
    _text(category, "info", content.html([content.inline("p", f"{content.COURSE}: {title}")]), format="html")
    SubElement(category, "idnumber").text = f"finetuning-{content.clean(topic)}"
    return category


def _question(item: Item) -> Element:
    question = Element("question", type=TYPES[item.kind])
    _text(question, "name", content.plain(item.id))
    _html(question, "questiontext", content.question(item))
    _html(question, "generalfeedback", content.whole_reason(item))
    for name, value in (("defaultgrade", "1"), ("penalty", "0.3333333"), ("hidden", "0"), ("idnumber", content.clean(item.id))):
        SubElement(question, name).text = value
    PARTS[item.kind](question, item)
    tags = SubElement(question, "tags")
    for tag in content.tags(item):
        _text(tags, "tag", content.clean(tag))
    return question


# --- the parts of each kind ---------------------------------------------------------------------


def _choice(question: Element, item) -> None:
    single = item.kind == "single"
    share = 100 / sum(option.right for option in item.options)
    _fields(question, single=str(single).lower(), shuffleanswers="true", answernumbering="abc")
    for option in item.options:
        fraction = share if option.right else 0 if single else -share
        answer = _answer(question, content.option(option.text), fraction, option, format="html")
        answer.set("format", "html")


def _numeric(question: Element, item) -> None:
    for slip in item.slips:
        _number(question, slip.value, item.tolerance, 0, slip)
    _number(question, item.value, item.tolerance, 100)
    if item.unit == "%" and 0 < item.value <= 100:
        _number(question, item.value / 100, item.tolerance, 100)  # typed as a share, as in `quiz.grading`
    _fields(question, unitgradingtype="0", unitpenalty="0", showunits="0", unitsleft="0")
    units = SubElement(question, "units")
    for name, multiplier in _units(item.unit).items():
        _fields(SubElement(units, "unit"), multiplier=content.number(multiplier), unit_name=content.plain(name))


def _number(question: Element, value: float, tolerance: float, fraction: float, slip=None) -> None:
    answer = _answer(question, content.number(value), fraction, slip)
    SubElement(answer, "tolerance").text = content.number(abs(value) * tolerance)


def _units(unit: str) -> dict[str, float]:
    """The item's unit and others that mean it, each with its multiplier."""
    own = next((size for name, size in _BYTES.items() if name.lower() == unit.lower()), None)
    if own:
        return {unit: 1.0} | {name: own / size for name, size in _BYTES.items() if name != unit}
    if unit == "%":
        return {"%": 1.0, "percent": 1.0}
    aliases = {unit.replace(" ", ""): 1.0}  # Moodle takes the blanks out of what is typed, and then looks for the unit
    shares = {"%": 100.0} if unit.startswith(("share", "factor", "times")) else {}
    others = {name: 1 / size for name, size in _MULTIPLES.items() if name not in (unit, *aliases)}
    return {unit: 1.0} | aliases | others | shares


def _prints(question: Element, item) -> None:
    _fields(question, usecase="1")
    for text, fraction, slip in [*((slip.text, 0, slip) for slip in item.slips), (item.output, 100, None)]:
        for typed in content.typed(text):
            _answer(question, typed.replace("*", "\\*"), fraction, slip)  # a bare * fits everything


def _ordering(question: Element, item) -> None:
    _fields(
        question, layouttype="VERTICAL", selecttype="ALL", selectcount=str(len(item.steps)),
        gradingtype="RELATIVE_ALL_PREVIOUS_AND_NEXT", showgrading="SHOW", numberingstyle="none", shownumcorrect="1",
    )  # fmt: skip
    for place, step in enumerate(item.steps, 1):
        answer = SubElement(question, "answer", fraction=str(place), format="html")
        SubElement(answer, "text").text = content.option(step)


def _matching(question: Element, item) -> None:
    _fields(question, shuffleanswers="true")
    for left, right in item.pairs:
        pair = _text(question, "subquestion", content.option(left), format="html")
        _text(pair, "answer", content.plain(right))  # shown in a menu, which has no HTML


def _open(question: Element, item) -> None:
    _fields(question, responseformat="editor", responserequired="1", responsefieldlines="15", attachments="0")
    _html(question, "graderinfo", content.whole_reason(item))
    _text(question, "responsetemplate", "", format="html")


PARTS = {
    "single": _choice, "multiple": _choice, "numeric": _numeric, "prints": _prints,
    "ordering": _ordering, "matching": _matching, "open": _open,
}  # fmt: skip


# --- elements -----------------------------------------------------------------------------------


def _fields(parent: Element, **fields: str) -> None:
    for name, value in fields.items():
        SubElement(parent, name).text = value


def _text(parent: Element, name: str, text: str, **attributes: str) -> Element:
    element = SubElement(parent, name, attributes)
    SubElement(element, "text").text = text
    return element


def _html(parent: Element, name: str, elements) -> Element:
    return _text(parent, name, content.html(elements), format="html")


def _answer(question: Element, text: str, fraction: float, wrong=None, **attributes: str) -> Element:
    """An answer, what it is worth in per cent as Moodle's list of grades has it, and the feedback on a wrong one."""
    answer = _text(question, "answer", text, fraction=f"{fraction:.7g}", **attributes)
    if wrong is not None and wrong.reply:
        _html(answer, "feedback", content.mistake(wrong))
    return answer
