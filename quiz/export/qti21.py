"""QTI 2.1 in an IMS package: an item a file, and a test with a section a topic.

Credit is as in `quiz.grading`, but for ordering, which is right or not. Feedback is modal: an option's, a known mistake's,
and for every answer the reason.
"""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement

from quiz import asking
from quiz.bank import Item
from quiz.export import content, package
from quiz.export.notes import Notes

NAMESPACE = "http://www.imsglobal.org/xsd/imsqti_v2p1"
SCHEMA = "http://www.imsglobal.org/xsd/qti/qtiv2p1/imsqti_v2p1.xsd"
REASON = "REASON"  # the feedback that everyone sees
NOTES = {
    "numeric": "QTI 2.1 has no units: the unit is in the text, and a plain number in that unit is wanted.",
    "ordering": "In QTI 2.1 an order is right or not; the course counts the pairs in the right order.",
}


def write(items: Sequence[Item], notes: Notes) -> bytes:
    test, resources = _test(), []
    part = SubElement(test, "testPart", identifier="part", navigationMode="nonlinear", submissionMode="individual")
    for title, group in content.by_topic(items).items():
        section = SubElement(
            part, "assessmentSection", identifier=f"section-{content.identifier(group[0].topic)}",
            title=content.plain(title), visible="true",
        )  # fmt: skip
        for item in group:
            name = content.identifier(item.id)
            path = f"items/{name}.xml"
            SubElement(section, "assessmentItemRef", identifier=name, href=path)
            file = package.document(_item(item), NAMESPACE, SCHEMA)
            resources.append(package.Resource(name, "imsqti_item_xmlv2p1", path, file))
            if item.kind in NOTES:
                notes.add(NOTES[item.kind], item.id)
    names = tuple(resource.identifier for resource in resources)
    whole = package.document(test, NAMESPACE, SCHEMA)
    resources.append(package.Resource("test", "imsqti_test_xmlv2p1", "test.xml", whole, names))
    return package.packed("finetuning-questions", resources, ("QTIv2.1 Package", "1.0.0"))


def _test() -> Element:
    return Element("assessmentTest", identifier="finetuning-test", title=content.COURSE)


def _item(item: Item) -> Element:
    root = Element(
        "assessmentItem", identifier=content.identifier(item.id), title=content.plain(item.id),
        adaptive="false", timeDependent="false",
    )  # fmt: skip
    cardinality, sort = RESPONSES[item.kind]
    response = SubElement(root, "responseDeclaration", identifier="RESPONSE", cardinality=cardinality, baseType=sort)
    SubElement(root, "outcomeDeclaration", identifier="SCORE", cardinality="single", baseType="float")
    SubElement(root, "outcomeDeclaration", identifier="FEEDBACK", cardinality="multiple", baseType="identifier")
    body = SubElement(root, "itemBody")
    body.extend(content.question(item))
    processing = SubElement(root, "responseProcessing")
    shown = PARTS[item.kind](item, response, body, processing)
    for name, elements in (shown | {REASON: content.whole_reason(item)}).items():
        feedback = SubElement(root, "modalFeedback", outcomeIdentifier="FEEDBACK", identifier=name, showHide="show")
        feedback.extend(elements)
    return root


RESPONSES = {
    "single": ("single", "identifier"), "multiple": ("multiple", "identifier"), "numeric": ("single", "float"),
    "prints": ("single", "string"), "ordering": ("ordered", "identifier"), "matching": ("multiple", "directedPair"),
    "open": ("single", "string"),
}  # fmt: skip


# --- the parts of each kind: each returns feedback by its identifier ----------------------------


def _choice(item, response: Element, body: Element, processing: Element) -> dict:
    names = {f"option_{place}": option for place, option in enumerate(item.options, 1)}
    right = [name for name, option in names.items() if option.right]
    _correct(response, right)
    most = "1" if item.kind == "single" else "0"
    shown = SubElement(body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle="true", maxChoices=most)
    for name, option in names.items():
        shown.append(content.inline("simpleChoice", option.text, identifier=name))
    if item.kind == "multiple":
        _mapping(response, {name: (1 if option.right else -1) / len(right) for name, option in names.items()}, ceiling=1)
        SubElement(_set(processing, "SCORE"), "mapResponse", identifier="RESPONSE")
    else:
        _score_if_correct(processing)
    _feedback(processing, [_variable("RESPONSE")])
    return {name: content.mistake(option) for name, option in names.items() if not option.right}


def _numeric(item, response: Element, body: Element, processing: Element) -> dict:
    _correct(response, [content.number(item.value)])
    _entry(body)

    def near(value: float) -> Element:
        within = Element("and")
        for tag, bound in zip(("gte", "lte"), content.interval(value, item.tolerance)):
            within.append(_comparison(tag, "float", bound))
        return within

    return _typed(processing, [(near(item.value), None), *((near(slip.value), slip) for slip in item.slips)])


def _prints(item, response: Element, body: Element, processing: Element) -> dict:
    _correct(response, [" ".join(item.output.split())])
    _entry(body)

    def same(text: str) -> list[Element]:
        return [_comparison("stringMatch", "string", typed, caseSensitive="true") for typed in content.typed(text)]

    answers = [(item.output, None), *((slip.text, slip) for slip in item.slips)]
    return _typed(processing, [(one, slip) for text, slip in answers for one in same(text)])


def _ordering(item, response: Element, body: Element, processing: Element) -> dict:
    names = _shown(item, "step")
    _correct(response, [names[index] for index in range(len(item.steps))])
    shown = SubElement(body, "orderInteraction", responseIdentifier="RESPONSE", shuffle="true")
    for index, name in names.items():
        shown.append(content.inline("simpleChoice", item.steps[index], identifier=name))
    _score_if_correct(processing)
    _feedback(processing, [])
    return {}


def _matching(item, response: Element, body: Element, processing: Element) -> dict:
    lefts, rights = {index: f"left_{index + 1}" for index in range(len(item.pairs))}, _shown(item, "right")
    pairs = [f"{name} {rights[index]}" for index, name in lefts.items()]
    _correct(response, pairs)
    _mapping(response, {pair: 1 / len(pairs) for pair in pairs}, ceiling=1)
    shown = SubElement(body, "matchInteraction", responseIdentifier="RESPONSE", shuffle="true", maxAssociations=str(len(pairs)))
    for side, names in enumerate((lefts, rights)):
        column = SubElement(shown, "simpleMatchSet")
        for index, name in names.items():
            text = item.pairs[index][side]
            column.append(content.inline("simpleAssociableChoice", text, identifier=name, matchMax="1"))
    SubElement(_set(processing, "SCORE"), "mapResponse", identifier="RESPONSE")
    _feedback(processing, [])
    return {}


def _shown(item, sort: str) -> dict[int, str]:
    """The choices by their index, in the order in which the quiz shows them: a name that counts up tells no key."""
    return {index: f"{sort}_{place}" for place, index in enumerate(asking.question(item).order, 1)}


def _open(item, response: Element, body: Element, processing: Element) -> dict:
    rubric = SubElement(body, "rubricBlock", view="scorer")
    rubric.extend(content.key_points(item))
    SubElement(body, "extendedTextInteraction", responseIdentifier="RESPONSE", expectedLines="10")
    _feedback(processing, [])
    return {}


PARTS = {
    "single": _choice, "multiple": _choice, "numeric": _numeric, "prints": _prints,
    "ordering": _ordering, "matching": _matching, "open": _open,
}  # fmt: skip


# --- elements -----------------------------------------------------------------------------------


def _correct(response: Element, values: Iterable[str]) -> None:
    correct = SubElement(response, "correctResponse")
    for value in values:
        SubElement(correct, "value").text = content.clean(value)


def _mapping(response: Element, values: dict[str, float], ceiling: float) -> None:
    mapping = SubElement(response, "mapping", lowerBound="0", upperBound=str(ceiling), defaultValue="0")
    for key, value in values.items():
        SubElement(mapping, "mapEntry", mapKey=key, mappedValue=repr(value))


def _entry(body: Element) -> None:
    SubElement(SubElement(body, "p"), "textEntryInteraction", responseIdentifier="RESPONSE", expectedLength="24")


def _variable(name: str) -> Element:
    return Element("variable", identifier=name)


def _base(parent: Element, sort: str, value: str) -> None:
    SubElement(parent, "baseValue", baseType=sort).text = value


def _comparison(tag: str, sort: str, value: str, **attributes: str) -> Element:
    comparison = Element(tag, attributes)
    comparison.append(_variable("RESPONSE"))
    _base(comparison, sort, value)
    return comparison


def _set(parent: Element, name: str) -> Element:
    return SubElement(parent, "setOutcomeValue", identifier=name)


def _score_if_correct(processing: Element) -> None:
    then = SubElement(SubElement(processing, "responseCondition"), "responseIf")
    match = SubElement(then, "match")
    match.append(_variable("RESPONSE"))
    SubElement(match, "correct", identifier="RESPONSE")
    _base(_set(then, "SCORE"), "float", "1")


def _feedback(parent: Element, shown: Iterable[Element]) -> None:
    """Shows the reason, and what these expressions name."""
    several = SubElement(_set(parent, "FEEDBACK"), "multiple")
    several.extend(shown)
    _base(several, "identifier", REASON)


def _typed(processing: Element, answers: Sequence[tuple[Element, object]]) -> dict:
    """Compares what is typed with each answer in turn. Without a slip beside it, an answer is right."""
    feedback: dict[str, list[Element]] = {}
    _feedback(processing, [])
    condition = SubElement(processing, "responseCondition")
    for place, (comparison, slip) in enumerate(answers):
        then = SubElement(condition, "responseElseIf" if place else "responseIf")
        then.append(comparison)
        if slip is None:
            _base(_set(then, "SCORE"), "float", "1")
            continue
        name = next((name for name, known in feedback.items() if known[0] is slip), f"mistake_{place}")
        feedback[name] = [slip]
        shown = Element("baseValue", baseType="identifier")
        shown.text = name
        _feedback(then, [shown])
    return {name: content.mistake(known[0]) for name, known in feedback.items()}
