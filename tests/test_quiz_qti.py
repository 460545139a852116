"""QTI of both versions, read and graded by another engine."""

import functools
import html
import io
import logging
import re
import zipfile
from xml.etree import ElementTree

import pytest

from quiz import asking, export
from quiz.export import content
from quiz.grading import grade, right_answer
from tests.test_quiz_export import INSTALL, ITEMS, files, of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pyslet speaks of itself


@pytest.fixture(scope="module")
def written():
    """The whole bank in both versions."""
    return {name: export.write(name, ITEMS)[0] for name in ("qti", "qti21")}


@pytest.fixture(scope="module")
def qti21(written, tmp_path_factory):
    """Submits a response to an item in another engine for QTI 2.1. Returns the score and the feedback that is shown."""
    xml = pytest.importorskip("pyslet.qtiv2.xml", reason=f"pyslet is {INSTALL}")
    from pyslet.qtiv2.variables import ItemSessionState, Value

    folder = tmp_path_factory.mktemp("qti21")
    with zipfile.ZipFile(io.BytesIO(written["qti21"])) as archive:
        archive.extractall(folder)

    @functools.cache
    def read(name):
        document = xml.QTIDocument(baseURI=(folder / "items" / f"q-{name}.xml").as_uri())
        document.read()
        return document.root

    def submit(item, response):
        state = ItemSessionState(read(item.id))
        state.begin_session()
        declared = read(item.id).ResponseDeclaration[0]
        state.map["RESPONSE"] = Value.new_value(declared.cardinality, declared.baseType)
        state.map["RESPONSE"].set_value(response)
        state.end_attempt()
        return state.map["SCORE"].value or 0.0, set(state.map["FEEDBACK"].value)

    logging.disable(logging.WARNING)
    yield submit
    logging.disable(logging.NOTSET)


def responses(item):
    """Answers to an item as the course takes them, each with the response of QTI: right ones, wrong ones, and some of both."""
    match item.kind:
        case "single":
            return [(index, f"option_{index + 1}") for index in range(len(item.options))]
        case "multiple":
            chosen = [right_answer(item), [0], [0, 1], list(range(len(item.options))), right_answer(item)[:-1]]
            return [(some, [f"option_{index + 1}" for index in some]) for some in chosen]
        case "numeric":
            values = [item.value, item.value * (1 + item.tolerance / 2), item.value * (1 + 2 * item.tolerance) + 1e-3]
            return [(value, value) for value in values + [slip.value for slip in item.slips]]
        case "prints":
            return [
                (said, said)
                for said in (item.output, item.output.replace(", ", ","), "nonsense", *(s.text for s in item.slips))
            ]
        case "ordering":
            order, place = list(range(len(item.steps))), asking.question(item).order.index
            return [(some, [f"step_{place(index) + 1}" for index in some]) for some in (order, order[::-1])]
        case "matching":
            right, place = list(range(len(item.pairs))), asking.question(item).order.index
            answers = [right, right[1:] + right[:1], [1, 0, *right[2:]]]
            return [(some, [(f"left_{n}", f"right_{place(i) + 1}") for n, i in enumerate(some, 1)]) for some in answers]
    return []


@pytest.mark.parametrize("item", [item for item in ITEMS if item.kind != "open"], ids=lambda item: item.id)
def test_another_engine_grades_qti_2_1_as_the_course_does(qti21, item):
    for answer, response in responses(item):
        score, shown = qti21(item, response)
        result = grade(item, answer)
        assert score == pytest.approx(result.score, abs=1e-9) and "REASON" in shown
        if item.kind in ("numeric", "prints"):
            known = any(slip.reply in result.replies for slip in item.slips)
            assert any(name.startswith("mistake") for name in shown) == known
        if item.kind in ("single", "multiple"):
            assert shown - {"REASON"} == ({response} if item.kind == "single" else set(response))


def test_qti_2_1_tells_the_key_points_to_the_scorer_alone(written):
    item = of("open")
    body = files(written["qti21"])[f"items/q-{item.id}.xml"].decode()
    assert 'view="scorer"' in body and "extendedTextInteraction" in body
    assert body.index("rubricBlock") < body.index(html.escape(item.rubric[0], quote=False)) < body.index("</rubricBlock>")


def test_another_reader_takes_qti_1_2_without_complaint(written, tmp_path, caplog):
    document = pytest.importorskip("pyslet.imsqtiv1p2p1", reason=f"pyslet is {INSTALL}").QTIDocument
    found = []
    for name, text in files(written["qti"]).items():
        if name != "imsmanifest.xml":
            (tmp_path / "read.xml").write_bytes(text)
            read = document(baseURI=(tmp_path / "read.xml").as_uri())
            read.read()
            [section] = read.root.Assessment.SectionMixin
            found += [item.title for item in section.SectionItemMixin]
    assert found == [item.id for item in ITEMS]
    complaints = [record.getMessage() for record in caplog.records]  # it wants paragraphs in HTML, which an option has not
    assert [said for said in complaints if not said.startswith("Unexpected data (in ")] == []


Q12 = "{http://www.imsglobal.org/xsd/ims_qtiasiv1p2}"


def scored(package: bytes) -> dict[str, list]:
    """For each item in QTI 1.2 the conditions that give points."""
    roots = [ElementTree.fromstring(data) for name, data in files(package).items() if name != "imsmanifest.xml"]
    return {
        item.get("title"): [one for one in item.iter(f"{Q12}respcondition") if one.find(f"{Q12}setvar") is not None]
        for root in roots
        for item in root.iter(f"{Q12}item")
    }


def test_in_qti_1_2_only_what_is_right_gives_points(written):
    """Canvas takes each condition on a number or a text for a right one, so a known mistake must not be there."""
    giving = scored(written["qti"])
    for item in ITEMS:
        conditions = giving[item.id]
        named = [element.text for condition in conditions for element in condition.iter(f"{Q12}varequal")]
        denied = [element[0].text for condition in conditions for element in condition.iter(f"{Q12}not")]
        match item.kind:
            case "single" | "multiple":
                right = [f"option_{place}" for place, option in enumerate(item.options, 1) if option.right]
                assert [name for name in named if name not in denied] == right
                assert item.kind == "single" or len(named) == len(item.options)
            case "numeric":
                low, high = (float(conditions[0].find(f".//{Q12}{name}").text) for name in ("vargte", "varlte"))
                assert low < item.value < high and high - low == pytest.approx(2 * item.tolerance * abs(item.value))
                assert all(not low <= slip.value <= high for slip in item.slips)
            case "prints":
                assert named[0] == item.output and all(slip.text not in named for slip in item.slips)
            case "ordering" | "matching":
                assert len(conditions) == len(item.choices) and len(set(named)) == len(named)
            case "open":
                assert conditions == []


def test_neither_order_nor_names_of_choices_tell_the_key(written):
    """A platform may show them as they come, and a page's source shows their names."""
    one, two = files(written["qti"]), files(written["qti21"])
    for item in (item for item in ITEMS if item.kind in ("ordering", "matching")):
        [in_one] = [
            e
            for e in ElementTree.fromstring(one[f"q-{item.topic}/q-{item.topic}.xml"]).iter(f"{Q12}item")
            if e.get("title") == item.id
        ]
        labels = in_one.find(f".//{Q12}render_choice").iter(f"{Q12}response_label")
        key = [content.plain(choice) for choice in item.choices]
        assert ["".join(label.itertext()) for label in labels] != key
        in_two = ElementTree.fromstring(two[f"items/q-{item.id}.xml"])
        choices = [e for e in in_two.iter() if e.get("identifier", "").startswith(("step_", "right_"))]
        names = [e.get("identifier") for e in choices]
        assert ["".join(e.itertext()) for e in choices] != key and names == sorted(
            names, key=lambda name: int(name.split("_")[1])
        )


@pytest.mark.parametrize("name", ["qti", "qti21"])
def test_the_manifest_names_each_file_of_the_package_and_is_the_same_each_time(written, name):
    packed = files(written[name])
    manifest = ElementTree.fromstring(packed.pop("imsmanifest.xml"))
    space = "{http://www.imsglobal.org/xsd/imscp_v1p1}"
    assert {resource.get("href") for resource in manifest.iter(f"{space}resource")} == set(packed)
    assert len({resource.get("identifier") for resource in manifest.iter(f"{space}resource")}) == len(packed)
    assert export.write(name, ITEMS)[0] == written[name]


def test_an_id_that_xml_would_not_take_becomes_one_that_it_takes_and_stays():
    assert content.identifier("lora-form") == "q-lora-form"
    assert content.identifier("a b/ä") == content.identifier("a b/ä") != content.identifier("a b/ö")
    assert re.fullmatch(r"q-[0-9a-f]+", content.identifier("a b/ä"))
