"""Reads Moodle XML. A stranger's file may try to keep the reader busy for ever, or to read other files: defusedxml refuses it."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from quiz.importing import text
from quiz.importing.draft import Answer, Question, Unreadable

LOST = {"hint": "Hints are not kept.", ".//file": "Pictures and other files are not kept."}
HTML = ("html", "moodle_auto_format", "")


def questions(data: bytes) -> Iterator[Question]:
    """The questions of a file, each with the category that stands before it. Unreadable if it is no Moodle XML."""
    category = ""
    for element in _root(data).iter("question"):
        sort = element.get("type", "")
        if sort == "category":
            path = element.findtext("category/text") or ""
            category = last_of(path)
        else:
            yield _question(element, sort, category)


def last_of(path: str) -> str:
    """The name of the last category in a path, in which a doubled stroke is one in a name. “top” is no name."""
    name = re.split(r"(?<!/)/(?!/)", path.strip())[-1].replace("//", "/").strip()
    return "" if name == "top" or name.startswith("$") else name


def _root(data: bytes) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise Unreadable("declares a document type or entities, which no export of Moodle does. It is not read.") from None
    except (ParseError, ValueError, LookupError) as error:
        raise Unreadable(f"is no XML that can be read: {error}.") from None
    if root.tag != "quiz":
        raise Unreadable(f"is no Moodle XML: its first element is <{root.tag[:40]}>, not <quiz>.")
    return root


def _question(element: Element, sort: str, category: str) -> Question:
    stem, code = text.read(_html(element, "questiontext"))
    question = Question(
        type={"match": "matching"}.get(sort, sort),
        name=(element.findtext("idnumber") or element.findtext("name/text") or "").strip(),
        category=category,
        stem="\n\n".join(stem),
        code=code,
        explanation=text.explanation(_html(element, "generalfeedback")),
        answers=[_answer(answer, sort) for answer in element.findall("answer")],
        pairs=[
            (text.line(_html(pair, ".")), text.line(pair.findtext("answer/text") or ""))
            for pair in element.findall("subquestion")
        ],
        rubric=_rubric(element),
        unit=(element.findtext("units/unit/unit_name") or "").strip() or text.unit(_html(element, "questiontext")),
        lost=[sentence for path, sentence in LOST.items() if element.find(path) is not None],
        tags=tuple((tag.text or "").strip() for tag in element.findall("tags/tag/text")),
    )
    if sort == "multichoice" and (element.findtext("single") or "true").strip() in ("false", "0"):
        question.type = "multichoiceset"
    return question


def _answer(element: Element, sort: str) -> Answer:
    written = (element.findtext("text") or "").strip()
    if sort in ("multichoice", "ordering", "truefalse"):
        written = text.line(_html(element, "."))
    elif sort == "shortanswer":
        written = written.replace("\\*", "*")
    return Answer(
        written,
        _float(element.get("fraction")),
        text.paragraphs(_html(element, "feedback")),
        _float(element.findtext("tolerance")),
    )


def _rubric(element: Element) -> list[str]:
    return text.items(_html(element, "graderinfo")) if element.find("graderinfo/text") is not None else []


def _html(element: Element, path: str) -> str:
    """A text with its format: what is not HTML is written so."""
    found = element.find(path) if path != "." else element
    if found is None:
        return ""
    written = found.findtext("text") or ""
    is_html = found.get("format", "") in HTML and re.search(r"<[a-zA-Z/!]|&[#a-zA-Z0-9]+;", written)
    return written if is_html else text.escaped(written)


def _float(written: str | None) -> float:
    try:
        return float(written or 0)
    except ValueError:
        return 0.0
