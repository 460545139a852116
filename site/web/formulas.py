"""Formulas as MathML, made when the site is built: browsers draw it by themselves, and screen readers read it.

latex2mathml translates. What it leaves to the drawing browser, and TeX sets in another way, is mended here: the space around the
names of functions, signs before a number, bars and slashes without space, and what stands under a maximum.
"""

import re
from xml.etree import ElementTree as xml

from latex2mathml.converter import convert

FUNCTIONS = {"log", "ln", "exp", "max", "min", "argmax", "argmin"}
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
UNDER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
SIGNS = {"−", "+", "±", "-"}
CLOSING = {")", "]", "}", "|", "‖", "!", "⌉", "⌋", "⟩", "∞"}
TIGHT = {"|", "/", "‖"}
RELATIONS = {"<", ">", "=", ","}  # at the beginning of a row, as in y_{<t} and 614{,}400, they relate nothing
UPRIGHT = set("ΓΔΘΛΞΠΣΥΦΨΩ∂")
ALONE = {"lspace": "0", "rspace": "0"}
THIN = "0.1667em"


class BadFormula(ValueError):
    """A formula cannot be drawn. The message holds it."""


def mathml(tex: str, block: bool = False) -> str:
    """The formula as a <math> element for HTML.

    Args:
        tex: LaTeX without the dollar signs.
        block: it stands on a line of its own.

    Raises:
        BadFormula: it has a command that is not known, or its braces do not fit.
    """
    try:
        text = convert(tex, display="block" if block else "inline")
        root = xml.fromstring(text.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))
    except Exception as error:  # the library has a class of its own for each kind of fault, without a common one
        raise BadFormula(f"The formula ${tex}$ cannot be drawn: {error or type(error).__name__}") from None
    if unknown := re.search(r"\\[a-zA-Z]+", " ".join(root.itertext())):
        raise BadFormula(f"The formula ${tex}$ has the command {unknown[0]}, which cannot be drawn.")
    for element in list(root.iter()):
        _set(element, block)
    return xml.tostring(root, encoding="unicode", short_empty_elements=False)


def _set(element: xml.Element, block: bool) -> None:
    """Mends one row of a formula, or one element with something above or below it."""
    text = (element.text or "").strip()
    if element.tag == "mo" and text in TIGHT and element.get("fence") != "true":
        element.attrib |= ALONE
    if element.tag == "mi" and text in UPRIGHT:
        element.set("mathvariant", "normal")
    if block and element.tag in UNDER and _text(element[0]) in {"max", "min", "argmax", "argmin"}:
        element.tag = UNDER[element.tag]
    if element.tag in SCRIPTS:
        _name(element[0])
        return
    spaced, before = [], None
    children = list(element)
    if element.tag == "mrow" and children and children[0].tag == "mo" and _text(children[0]) in RELATIONS:
        children[0].attrib |= ALONE
    for child in children:
        _name(child)
        if _is_function(child) and before is not None and not _is_operator(before, opening=True):
            spaced.append(_thin())
        elif before is not None and _is_function(before) and not _is_operator(child):
            spaced.append(_thin())
        if child.tag == "mo" and _text(child) in SIGNS and (before is None or _is_operator(before, opening=True)):
            child.set("form", "prefix")
        spaced.append(child)
        before = child
    element[:] = spaced


def _name(element: xml.Element) -> None:
    """A function's name and ∂ are no operators, which would have wide spaces, and ± is one."""
    if element.tag == "mo" and _text(element) in FUNCTIONS | {"∂"}:
        element.tag = "mi"
    if element.tag == "mi" and _text(element) == "±":
        element.tag = "mo"


def _is_function(element: xml.Element) -> bool:
    base = element[0] if element.tag in SCRIPTS and len(element) else element
    return base.tag in ("mi", "mo") and _text(base) in FUNCTIONS


def _is_operator(element: xml.Element, opening: bool = False) -> bool:
    """Whether it has a space of its own. With `opening`, a closing bracket is none: what follows it is an operand's neighbour."""
    if element.tag == "mspace":
        return True
    return element.tag == "mo" and not (opening and _text(element) in CLOSING)


def _text(element: xml.Element) -> str:
    return (element.text or "").strip()


def _thin() -> xml.Element:
    return xml.Element("mspace", width=THIN)
