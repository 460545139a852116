"""`make reset`: stubs are blank again, what people did to their cells is mended, and nothing is lost."""

import nbformat
import pytest

from desk import backups, pair
from grader import stubs
from grader.problems import PROBLEMS
from grader.reset import main, reset
from grader.submission import SubmissionError

LORA = PROBLEMS["lora"]


@pytest.fixture
def notebooks(tmp_path):
    """A folder with a solved notebook, both halves."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    path = LORA.notebook_path(".ipynb", folder)
    path.write_bytes(LORA.notebook_path(".ipynb").read_bytes())
    save(folder, lambda notebook: stubs.put(notebook, LORA, stubs.solved))
    return folder


def load(folder, suffix=".ipynb"):
    return pair.read(LORA.notebook_path(suffix, folder))


def save(folder, change=lambda notebook: None) -> None:
    notebook = load(folder)
    change(notebook)
    for suffix in (".md", ".ipynb"):
        pair.save_half(notebook, LORA.notebook_path(suffix, folder))


def cells_of(notebook, stub) -> list:
    return [cell for cell in notebook.cells if f"stub:{stub}" in cell.metadata.get("tags", [])]


def sources(folder, suffix=".ipynb") -> list[str]:
    return [cell.source for cell in load(folder, suffix).cells]


def test_one_stub_is_blanked_and_everything_else_stays(notebooks):
    mine = load(notebooks)
    assert main(["lora", "inject_lora"], notebooks) == 0  # without a question
    for suffix in pair.SUFFIXES:
        now = load(notebooks, suffix)
        changed = [one for one, other in zip(mine.cells, now.cells, strict=True) if one.source != other.source]
        assert [cell.metadata.tags for cell in changed] == [["stub:inject_lora"]]
        assert cells_of(now, "inject_lora")[0].source == stubs.blank(LORA, ("inject_lora",))
    assert any("wrapped" in path.read_text() for path in backups.every(notebooks))


def test_one_of_two_stubs_in_a_cell_is_blanked_alone(notebooks):
    before = cells_of(load(notebooks), "LoRALinear.merge")[0].source
    reset(LORA, notebooks, "LoRALinear.merge")
    source = cells_of(load(notebooks), "LoRALinear.merge")[0].source
    assert 'raise NotImplementedError("LoRALinear.merge")' in source and "LoRALinear.merge = merge" in source
    assert source.partition("def unmerge")[2] == before.partition("def unmerge")[2]


def test_all_stubs_are_blanked_after_a_question(notebooks, monkeypatch, capsys):
    before = sources(notebooks)
    for answer in ("", "n", "what?"):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        assert main(["lora"], notebooks) == 1
    assert "Nothing was changed." in capsys.readouterr().out and sources(notebooks) == before
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(["lora"], notebooks) == 0
    assert all(stubs.blank(LORA, cell) in sources(notebooks, suffix) for cell in LORA.cells for suffix in pair.SUFFIXES)


def to_markdown(notebook):
    index = notebook.cells.index(cells_of(notebook, "inject_lora")[0])
    cell = notebook.cells[index]
    notebook.cells[index] = nbformat.v4.new_markdown_cell(cell.source, metadata=cell.metadata)


def to_raw(notebook):
    index = notebook.cells.index(cells_of(notebook, "inject_lora")[0])
    cell = notebook.cells[index]
    notebook.cells[index] = nbformat.v4.new_raw_cell(cell.source, metadata=cell.metadata)


def lose_the_tag(notebook):
    cells_of(notebook, "inject_lora")[0].metadata.tags.clear()


def lose_the_tag_and_the_type(notebook):
    to_markdown(notebook)
    lose_the_tag(notebook)


def delete(notebook):
    notebook.cells.remove(cells_of(notebook, "inject_lora")[0])


def double(notebook):
    cell = cells_of(notebook, "inject_lora")[0]
    notebook.cells.insert(notebook.cells.index(cell) + 1, nbformat.from_dict(cell))  # with the same id, as by Ctrl+C, Ctrl+V


def double_far_away(notebook):
    notebook.cells.append(nbformat.from_dict(cells_of(notebook, "inject_lora")[0]))


@pytest.mark.parametrize(
    "accident", [to_markdown, to_raw, lose_the_tag, lose_the_tag_and_the_type, delete, double, double_far_away],
    ids=lambda accident: accident.__name__,
)  # fmt: skip
@pytest.mark.parametrize("stub", ["inject_lora", None], ids=["one", "all"])
def test_what_people_do_to_a_cell_is_mended(notebooks, accident, stub):
    path = LORA.notebook_path(".ipynb", notebooks)
    LORA.notebook_path(".md", notebooks).unlink()
    notebook = nbformat.read(path, 4)
    accident(notebook)
    path.write_text(nbformat.v4.writes_json(notebook))
    _, said = reset(LORA, notebooks, stub)
    nbformat.validate(nbformat.read(path, 4))
    now = load(notebooks)
    (cell,) = cells_of(now, "inject_lora")
    assert cell.cell_type == "code" and cell.source == stubs.blank(LORA, ("inject_lora",))
    assert now.cells[now.cells.index(cell) + 1].source == 'check("inject_lora")'  # it is where it belongs
    assert len(said) == (2 if accident is lose_the_tag_and_the_type else 1) and all("`inject_lora`" in one for one in said)


def test_a_cell_of_ones_own_that_defines_a_stub_is_told_and_left(notebooks):
    save(notebooks, lambda notebook: notebook.cells.append(nbformat.v4.new_code_cell("def inject_lora(*a): return []")))
    _, said = reset(LORA, notebooks, "inject_lora")
    assert "def inject_lora(*a): return []" in sources(notebooks) and "It is yours and was left." in said[0]


def test_backups_are_listed_and_one_is_brought_back(notebooks, capsys):
    mine = sources(notebooks)
    reset(LORA, notebooks, "inject_lora")
    assert main([], notebooks) == 0
    listed = capsys.readouterr().out
    names = [path.name for path in backups.every(notebooks)]
    assert all(name in listed for name in names) and "make reset BACK=" in listed
    blank = sources(notebooks)
    assert main(["--back", next(name for name in names if name.endswith(".md"))], notebooks) == 0
    assert sources(notebooks) == sources(notebooks, ".md") == mine
    assert any(sources(notebooks) != blank and path.suffix == ".ipynb" for path in backups.every(notebooks))
    assert pair.bring_in_step(LORA.notebook_path(".ipynb", notebooks)) == ""


@pytest.mark.parametrize(
    "words, said",
    [
        (["lora", "inject_lore"], "There is no stub 'inject_lore' in lora; there are LoRALinear, "),
        (["--back", "none"], "There is no backup 'none'"),
    ],
)
def test_a_wrong_word_is_a_sentence_and_changes_nothing(notebooks, capsys, words, said):
    before = sources(notebooks)
    assert main(words, notebooks) == 2
    assert said in capsys.readouterr().err and sources(notebooks) == before


def test_a_notebook_that_is_gone_or_broken_is_a_sentence(notebooks):
    LORA.notebook_path(".md", notebooks).unlink()
    LORA.notebook_path(".ipynb", notebooks).write_text("{")
    with pytest.raises(SubmissionError, match="is not valid JSON"):
        reset(LORA, notebooks)
    LORA.notebook_path(".ipynb", notebooks).unlink()
    with pytest.raises(SubmissionError, match="is missing"):
        reset(LORA, notebooks)
