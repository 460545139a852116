"""QTI 1.2 in an IMS package, one assessment a topic, in the dialect of Canvas, which Brightspace and others read as well.

Canvas takes each condition on a typed answer for a right answer, so the replies to known wrong numbers and texts stand in the
general feedback. Of a choice, each option has its own.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from quiz.bank import TOPICS, Item
from quiz.export import content, package
from quiz.export.notes import Notes

NAMESPACE = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
SCHEMA = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2p1.xsd"
TYPES = {
    "single": "multiple_choice_question", "multiple": "multiple_answers_question", "numeric": "numerical_question",
    "prints": "short_answer_question", "ordering": "matching_question", "matching": "matching_question",
    "open": "essay_question",
}  # fmt: skip
NOTES = {
    "ordering": "The Canvas dialect of QTI 1.2 has no ordering. It is a matching question here: a place for each step.",
    "multiple": "QTI 1.2 gives all or nothing for several right options; Canvas itself then gives credit as the course does.",
    "numeric": "QTI 1.2 has no units and no reply to a known wrong number: the unit is in the text, replies in the feedback.",
    "prints": "Canvas ignores capitals in a short answer, and has no reply to a known wrong one: these are in the feedback.",
}


def write(items: Sequence[Item], notes: Notes) -> bytes:
    resources = []
    for title, group in content.by_topic(items).items():
        name = content.identifier(group[0].topic)
        root = Element("questestinterop")
        assessment = SubElement(root, "assessment", ident=name, title=f"{content.COURSE}: {content.plain(title)}")
        section = SubElement(assessment, "section", ident="root_section")
        for item in group:
            section.append(_item(item))
            if item.kind in NOTES:
                notes.add(NOTES[item.kind], item.id)
        path = f"{name}/{name}.xml"
        resources.append(package.Resource(name, "imsqti_xmlv1p2", path, package.document(root, NAMESPACE, SCHEMA)))
    return package.packed("finetuning-questions", resources, ("IMS Content", "1.1.3"))


def _item(item: Item) -> Element:
    element = Element("item", ident=content.identifier(item.id), title=content.plain(item.id))
    metadata = SubElement(SubElement(element, "itemmetadata"), "qtimetadata")
    fields = {"question_type": TYPES[item.kind], "points_possible": "1", "topic": TOPICS[item.topic], "level": item.level}
    for label, entry in fields.items():
        field = SubElement(metadata, "qtimetadatafield")
        SubElement(field, "fieldlabel").text, SubElement(field, "fieldentry").text = label, content.clean(entry)
    presentation = SubElement(element, "presentation")
    _material(presentation, content.html(content.question(item)))
    processing = SubElement(element, "resprocessing")
    score = {"varname": "SCORE", "vartype": "Decimal", "minvalue": "0", "maxvalue": "100"}
    SubElement(SubElement(processing, "outcomes"), "decvar", score)
    _condition(processing, feedback="general_fb")
    feedback = {"general_fb": content.html([*content.whole_reason(item), *_known(item)])}
    PARTS[item.kind](item, presentation, processing, feedback)
    for name, text in feedback.items():
        flow = SubElement(SubElement(element, "itemfeedback", ident=name), "flow_mat")
        _material(flow, text)
    return element


def _known(item: Item) -> list[Element]:
    """The known wrong answers to what is typed, which this format cannot tell apart."""
    if item.kind not in ("numeric", "prints"):
        return []
    return [content.inline("p", f"{text}: {wrong.reply}") for text, wrong in content.wrong_answers(item)]


# --- the parts of each kind ---------------------------------------------------------------------


def _choice(item, presentation: Element, processing: Element, feedback: dict[str, str]) -> None:
    names = {f"option_{place}": option for place, option in enumerate(item.options, 1)}
    _choices(
        presentation, "response1", {name: content.option(option.text) for name, option in names.items()}, item.kind.title()
    )
    for name, option in names.items():
        if not option.right:
            feedback[f"{name}_fb"] = content.html(content.mistake(option))
            _equal(_condition(processing, feedback=f"{name}_fb"), "response1", name)
    variable = _condition(processing, score="100", goes_on=False)
    if item.kind == "multiple":
        variable = SubElement(variable, "and")
    for name, option in names.items():
        if option.right:
            _equal(variable, "response1", name)
        elif item.kind == "multiple":
            _equal(SubElement(variable, "not"), "response1", name)


def _numeric(item, presentation: Element, processing: Element, feedback: dict[str, str]) -> None:
    _typed(presentation, "Decimal")
    either = SubElement(_condition(processing, score="100", goes_on=False), "or")
    _equal(either, "response1", content.number(item.value))
    both = SubElement(either, "and")
    for name, bound in zip(("vargte", "varlte"), content.interval(item.value, item.tolerance)):
        SubElement(both, name, respident="response1").text = bound


def _prints(item, presentation: Element, processing: Element, feedback: dict[str, str]) -> None:
    _typed(presentation, "String")
    variable = _condition(processing, score="100", goes_on=False)
    for text in content.typed(item.output):
        _equal(variable, "response1", text, case="Yes")


def _ordering(item, presentation: Element, processing: Element, feedback: dict[str, str]) -> None:
    _pairs([(f"Step {place}", step) for place, step in enumerate(item.steps, 1)], presentation, processing)


def _matching(item, presentation: Element, processing: Element, feedback: dict[str, str]) -> None:
    _pairs(item.pairs, presentation, processing)


def _pairs(pairs: Sequence[tuple[str, str]], presentation: Element, processing: Element) -> None:
    """Each left side asks for its partner. The partners stand in the order of the alphabet, so that it tells nothing."""
    partners = sorted(right for _, right in pairs)
    names = {right: f"partner_{place}" for place, right in enumerate(partners, 1)}
    for place, (left, right) in enumerate(pairs, 1):
        asked = f"response_{place}"
        _choices(
            presentation, asked, {name: content.plain(text) for text, name in names.items()}, "Single", content.option(left)
        )
        _equal(_condition(processing, score=content.number(round(100 / len(pairs), 2)), action="Add"), asked, names[right])


def _open(item, presentation: Element, processing: Element, feedback: dict[str, str]) -> None:
    _typed(presentation, "String")


PARTS = {
    "single": _choice, "multiple": _choice, "numeric": _numeric, "prints": _prints,
    "ordering": _ordering, "matching": _matching, "open": _open,
}  # fmt: skip


# --- elements -----------------------------------------------------------------------------------


def _material(parent: Element, html: str) -> None:
    SubElement(SubElement(parent, "material"), "mattext", texttype="text/html").text = html


def _choices(presentation: Element, name: str, labels: dict[str, str], cardinality: str, asked: str = "") -> None:
    response = SubElement(presentation, "response_lid", ident=name, rcardinality=cardinality)
    if asked:
        _material(response, asked)
    shown = SubElement(response, "render_choice")
    for label, text in labels.items():
        _material(SubElement(shown, "response_label", ident=label), text)


def _typed(presentation: Element, sort: str) -> None:
    response = SubElement(presentation, "response_str", ident="response1", rcardinality="Single")
    SubElement(SubElement(response, "render_fib", fibtype=sort), "response_label", ident="answer1", rshuffle="No")


def _condition(processing: Element, score: str = "", feedback: str = "", action: str = "Set", goes_on: bool = True) -> Element:
    """A condition that gives a score or shows feedback. Returned is where to say when; without feedback alone, always."""
    condition = SubElement(processing, "respcondition", {"continue": "Yes" if goes_on else "No"})
    variable = SubElement(condition, "conditionvar")
    if feedback == "general_fb":
        SubElement(variable, "other")
    if score:
        SubElement(condition, "setvar", action=action, varname="SCORE").text = score
    if feedback:
        SubElement(condition, "displayfeedback", feedbacktype="Response", linkrefid=feedback)
    return variable


def _equal(parent: Element, asked: str, value: str, **attributes: str) -> None:
    SubElement(parent, "varequal", respident=asked, **attributes).text = value
