"""The register of errata and the bibliography, and what the notebooks make of them."""

import re
from collections import Counter
from itertools import chain

import jupytext
import pytest

from grader.problems import ROOT
from quiz import bank, register

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
# The topics whose errata a notebook draws as a table.
TREATED = {
    "01_supervised_finetuning": ("frame", "sft"),
    "02_peft": ("peft",),
    "03_lora": ("lora",),
    "04_data_preparation": ("data",),
    "05_hyperparameters": ("hyperparameters",),
    "06_problem_sft": ("script-6",),
    "07_problem_peft": ("script-7",),
    "08_problem_lora": ("script-8",),
}


def claims(path) -> list[str]:
    cells = jupytext.read(path).cells
    return [tag for cell in cells for tag in cell.metadata.get("tags", []) if tag.startswith("claim:")]


def test_every_judged_statement_is_registered():
    kinds = Counter(erratum.verdict == "right" for erratum in register.errata().values())
    assert kinds == {False: 78, True: 10}


def test_every_cell_that_is_named_exists_in_one_notebook():
    known = Counter(claim for path in NOTEBOOKS for claim in claims(path))
    assert set(known.values()) == {1}
    assert {erratum.cell for erratum in register.errata().values() if erratum.cell} <= set(known)


def test_a_cell_that_shows_something_asserts_it():
    """Of every item and erratum that says of its cell that it shows the key."""
    sources = {
        tag: cell.source for path in NOTEBOOKS for cell in jupytext.read(path).cells for tag in cell.metadata.get("tags", [])
    }
    proved = [*bank.items(), *register.errata().values()]
    shown = {one.cell for one in proved if one.proof == "shows"}
    assert shown and all(re.search(r"^ *assert ", sources[cell], re.M) for cell in shown)
    assert {one.proof for one in proved} == {"shows", "illustrates", "source"}
    assert all((one.proof == "source") == (not one.cell) for one in proved)


@pytest.mark.parametrize(
    "fields, words",
    [
        ('proof = "shows"', "proof is 'shows', and there is no cell"),
        ('proof = "illustrates"', "there is no cell"),
        ('proof = "source"\ncell = "claim:lora.x"', "proof is 'source', and there is a cell"),
        ('proof = "proves"', "proof: Input should be 'shows', 'illustrates' or 'source'"),
    ],
)
def test_a_proof_without_its_cell_is_refused(tmp_path, fields, words):
    text = '[A]\ntopic = "sft"\nclaim = "x"\nverdict = "wrong"\ncorrection = ""\nsources = []\n'
    (tmp_path / "errata.toml").write_text(text + fields)
    with pytest.raises(register.Broken, match=words):
        register.read("errata.toml", register.Erratum.model_validate, tmp_path)


def test_a_cell_shows_what_names_it_and_nothing_else_comes_from_sources_alone(tmp_path):
    text = '[A]\ntopic = "sft"\nclaim = "x"\nverdict = "wrong"\ncorrection = ""\nsources = []\n'
    for more, proof in (('cell = "claim:lora.x"', "shows"), ("", "source")):
        (tmp_path / "errata.toml").write_text(text + more)
        assert register.read("errata.toml", register.Erratum.model_validate, tmp_path)["A"].proof == proof


def test_a_claim_has_its_place_and_its_address():
    assert register.claims()["claim:lora.no_op_at_the_start"] == ("03_lora", "The start")
    assert register.anchor("claim:lora.no_op_at_the_start") == "claim-lora-no_op_at_the_start"
    assert register.link("claim:lora.no_op_at_the_start") == "03_lora.ipynb#claim-lora-no_op_at_the_start"
    assert register.link("claim:lora.nowhere") == ""


def test_an_address_is_one_for_every_viewer():
    # JupyterLab keeps capitals and dots, GitHub and VS Code do not; none of them changes these characters
    assert all(re.fullmatch(r"[a-z0-9_-]+", register.anchor(claim)) for claim in register.claims())


def test_the_table_of_errata_is_folded_and_leads_to_the_cells():
    page = register.errata_table("script-8")._repr_html_()
    assert re.match(r"<details><summary>\d+ statements of the article", page) and page.endswith("</details>")
    cells = {erratum.cell for erratum in register.errata().values() if erratum.topic == "script-8" and erratum.cell}
    assert set(re.findall(r'href="([^"]+\.ipynb#[^"]+)"', page)) == set(map(register.link, cells))


def test_every_source_is_cited_and_can_be_found():
    cited = {key for one in (*register.errata().values(), *bank.items()) for key in one.sources}
    text = "".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
    for key, source in register.sources().items():
        assert source.link.startswith("https://"), key
        assert key in cited or f'"{key}"' in text, key


def test_a_wrong_statement_is_corrected_and_a_right_one_is_left():
    for name, erratum in register.errata().items():
        assert name.startswith("R") == (erratum.verdict == "right")
        assert erratum.correction or erratum.verdict == "right", name


def test_every_topic_has_its_notebook():
    assert {erratum.topic for erratum in register.errata().values()} == set(chain(*TREATED.values()))


@pytest.mark.parametrize("name, topics", TREATED.items())
def test_a_topics_notebook_draws_the_table_of_its_errata(name, topics):
    notebook = jupytext.read(ROOT / "notebooks" / f"{name}.ipynb")
    call = f"register.errata_table({', '.join(map(repr, topics))})".replace("'", '"')
    cell = next(cell for cell in notebook.cells if cell.source == call)
    page = cell.outputs[0]["data"]["text/html"]
    names = [name for name, erratum in register.errata().items() if erratum.topic in topics]
    assert names and all(f">{name}</td>" in page for name in names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_cites_known_sources(path):
    for call in re.findall(r"register\.bibliography\(([^)]*)\)", path.read_text(encoding="utf-8")):
        assert set(re.findall(r'"([^"]+)"', call)) <= set(register.sources())


@pytest.mark.parametrize(
    "text, words",
    [
        ("[A]\ntopic = 3", r"errata.toml, \[A\], topic"),
        ('[A]\ntopic = "sft"\nclaim = "x"', r"\[A\], verdict: Field required"),
        ('[A]\ntopic = "sft"\nclaim = "x"\nverdict = "bad"\ncorrection = ""\nsources = []', r"\[A\], verdict: Input"),
        ('[A]\nextra = 1\ntopic = "sft"\nclaim = "x"\nverdict = "wrong"\ncorrection = ""\nsources = []', "extra"),
        ("[A", "errata.toml cannot be read"),
    ],
)
def test_a_broken_bank_is_refused_by_file_entry_and_field(tmp_path, text, words):
    (tmp_path / "errata.toml").write_text(text)
    with pytest.raises(register.Broken, match=words):
        register.read("errata.toml", register.Erratum.model_validate, tmp_path)


def test_an_unknown_topic_or_source_is_refused_by_name():
    with pytest.raises(ValueError, match="there is no topic 'lore'; there are data, frame"):
        register.errata_table("lore")
    with pytest.raises(ValueError, match="there is no source 'lore'; there are "):
        register.bibliography("lora", "lore")


def test_a_table_is_safe_html_and_readable_text():
    table = register.Table(["a", "b"], [["<i>", "`x` [lora]"]], {"lora": "https://arxiv.org/abs/2106.09685"})
    assert "&lt;i&gt;" in table._repr_html_() and "<code>x</code>" in table._repr_html_()
    assert '<a href="https://arxiv.org/abs/2106.09685">lora</a>' in table._repr_html_()
    assert repr(table) == "a: <i>\nb: `x` [lora]"


def test_the_readme_tells_how_many_answers_a_cell_shows():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for told, all_of_them in (("questions", bank.items()), ("statements on the article", register.errata().values())):
        count = Counter(one.proof for one in all_of_them)
        shares = f"{count['shows']}, {count['illustrates']} and {count['source']} of the {count.total()} {told}"
        assert shares in text, shares
