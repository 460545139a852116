"""What an item says, read once for all formats: its texts as HTML elements, its wrong answers, its reason and proof.

The bank's texts are plain text with `code` in backticks. As elements they need no escaping by hand: a format asks for
`html`, or takes the elements into its own XML.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement, tostring

from quiz import asking
from quiz.bank import TOPICS, Item, Slip
from quiz.grading import printed, readable
from quiz.keyless import alias

COURSE = "Fine-tuning language models"
BELIEF = "The belief behind it:"  # what stands before it in the feedback on a wrong answer
UNIT = "Unit of the answer:"
PROOF = "Proof: "
KEY_POINTS = "Key points of a good answer:"
# What no XML can hold: control characters, half signs, and two code points that are no characters.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text with a replacement sign for each character that XML cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


# --- texts as elements --------------------------------------------------------------------------


def inline(tag: str, text: str, **attributes: str) -> Element:
    """The text in an element of this tag: what stands in backticks is code, and lines stay lines."""
    element = Element(tag, attributes)
    parts = clean(text).split("`")
    for place, part in enumerate(parts if len(parts) % 2 else [clean(text)]):
        if place % 2:
            SubElement(element, "code").text = part
        else:
            _append_lines(element, part)
    return element


def _append_lines(element: Element, text: str) -> None:
    first, *lines = text.split("\n")
    _append(element, first)
    for line in lines:
        SubElement(element, "br").tail = line


def _append(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def paragraphs(text: str) -> list[Element]:
    """The text in paragraphs, which empty lines part."""
    return [inline("p", part) for part in re.split(r"\n\s*\n", text.strip())]


def bullets(texts: Iterable[str]) -> Element:
    bulleted = Element("ul")
    bulleted.extend(inline("li", text) for text in texts)
    return bulleted


def code(text: str) -> Element:
    """A block of code. Each browser and platform keeps its line breaks and blanks."""
    block = Element("pre")
    SubElement(block, "code").text = clean(text).strip("\n")
    return block


def html(elements: Iterable[Element]) -> str:
    return "".join(tostring(element, encoding="unicode", method="html") for element in elements)


def option(text: str) -> str:
    """A short text as HTML, without a paragraph around it."""
    return html([inline("span", text)]).removeprefix("<span>").removesuffix("</span>")


def plain(text: str) -> str:
    """The text for a place that shows no HTML, such as a menu: the backticks go."""
    return clean(text).replace("`", "")


# --- an item ------------------------------------------------------------------------------------


def question(item: Item) -> list[Element]:
    """The stem, the code, and for a number its unit."""
    shown = paragraphs(item.stem)
    if item.code:
        shown.append(code(item.code))
    if item.kind == "numeric":
        shown.append(inline("p", f"{UNIT} {item.unit}", **{"class": "unit"}))
    return shown


def mistake(wrong: Slip) -> list[Element]:
    """What is told to whoever gives this wrong answer: the belief behind it, and what is true."""
    return [inline("p", f"{BELIEF} {wrong.thought}"), *paragraphs(wrong.reply)]


def wrong_answers(item: Item) -> list[tuple[str, Slip]]:
    """The wrong answers that the bank knows, each as a text and what it reveals."""
    match item.kind:
        case "single" | "multiple":
            return [(wrong.text, wrong) for wrong in item.options if not wrong.right]
        case "numeric":
            return [(f"{readable(slip.value)} {item.unit}", slip) for slip in item.slips]
        case "prints":
            return [(slip.text, slip) for slip in item.slips]
    return []


def reason(item: Item) -> list[Element]:
    """Why the key is right, and where that is proved."""
    return [*paragraphs(item.explanation), proof(item)]


def proof(item: Item) -> Element:
    """Where the answer is proved: the course's notebook by its name, sources by their links."""
    line = Element("p")
    line.text = PROOF
    for place, (title, address) in enumerate(asking.proof(item)):
        _append(line, "; " if place else "")
        if re.match(r"https?://", address):
            SubElement(line, "a", href=clean(address)).text = clean(title)
        else:
            _append(line, clean(f"notebook {title}" if address else title))
    return line


def key_points(item: Item) -> list[Element]:
    """The rubric of an open question."""
    return [inline("p", KEY_POINTS), bullets(item.rubric)]


def whole_reason(item: Item) -> list[Element]:
    """The reason, and for an open question the key points before it."""
    return [*(key_points(item) if item.kind == "open" else ()), *reason(item)]


def typed(text: str) -> list[str]:
    """How someone may type what code prints: as Python prints it, without blanks beside commas, and beside brackets either."""
    line = " ".join(clean(text).split())
    return list(dict.fromkeys((line, re.sub(r"\s*,\s*", ",", line), printed(line))))


def number(value: float) -> str:
    """A number with all digits that count, and without an exponent, which not every system reads."""
    return format(Decimal(f"{value:.12g}"), "f")


def interval(value: float, tolerance: float) -> tuple[str, str]:
    """The smallest and the largest number that is within the relative tolerance."""
    margin = abs(value) * tolerance
    return number(value - margin), number(value + margin)


def tags(item: Item) -> list[str]:
    return [item.topic, item.level, item.kind, item.about]


def identifier(name: str) -> str:
    """The id as XML and file names take it. It stays the same, so that a second import can be matched with the first."""
    return f"q-{name}" if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f"q-{alias(name)}"


def by_topic(items: Iterable[Item]) -> dict[str, list[Item]]:
    """The items by the title of their topic."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(TOPICS[item.topic], []).append(item)
    return groups
