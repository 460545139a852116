"""The copies that students get: what is in them, that no solution is, and that they work."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from itertools import combinations
from pathlib import Path

import nbformat
import pytest

import quiz
from classroom.handout import release as module
from classroom.handout.release import PARTS, ReleaseError, bodies, release, search, search_keys
from desk import backups, pair
from grader import recorded, stubs
from grader.judge import grade
from grader.problems import PROBLEMS, ROOT, Problem
from grader.submission import SubmissionError, read
from quiz import asking, bank, keyless, packed
from quiz.widget import Page
from tests.conftest import most_points, write


@pytest.fixture(scope="module")
def handout(tmp_path_factory) -> Path:
    """A copy as it is made without options. Not to be changed."""
    folder = tmp_path_factory.mktemp("release") / "course"
    release(folder)
    return folder


@pytest.fixture
def own(handout, tmp_path) -> Path:
    """A student's own copy, to be written in."""
    return Path(shutil.copytree(handout, tmp_path / "own"))


# An installed course would lend the copy the modules that it lacks.
ALONE = "import sys; sys.meta_path = [finder for finder in sys.meta_path if 'Editable' not in getattr(finder, '__name__', '')]\n"


def python(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess:
    """Python in a copy. PYTHONPATH puts the copy before the installed course, and a program (-c) sees the copy alone."""
    if arguments[0] == "-c":
        arguments = ("-c", ALONE + arguments[1], *arguments[2:])
    settings = {"PYTHONPATH": str(folder), "QUIZ_HOME": str(folder / "home"), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = os.environ | settings
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, input=typed, capture_output=True, text=True, encoding="utf-8")


def make_check(folder: Path, *more: str) -> subprocess.CompletedProcess:
    options = ["-q", "--no-header", "--tb=no", "-rN", "-p", "no:nbval", "-p", "no:anyio"]
    return python(folder, "-m", "pytest", "tests/problems", *options, *more)


def fill(folder: Path, problem, source_of=stubs.solved) -> None:
    """Put sources into the stub cells of a notebook."""
    path = problem.notebook_path(".ipynb", folder)
    notebook = pair.read(path)
    stubs.put(notebook, problem, source_of)
    for half in (half for half in (path, path.with_suffix(".md")) if half.exists()):
        pair.save_half(notebook, half)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what is in it ------------------------------------------------------------------------------


def test_what_is_left_out_is_not_there(handout):
    names = set(files(handout))
    assert {"Makefile", "README.md", "LICENSE", "grader/judge.py", "quiz/bank/errata.toml", "lab/model.py"} <= names
    assert {name for name in names if name.startswith("tests/")} == {
        "tests/problems/conftest.py",
        "tests/problems/test_problems.py",
    }
    assert not [name for name in names if name.startswith(("classroom", "grader/mistakes", ".", "CONTRIBUTING"))]
    assert not [name for name in names if "__pycache__" in name or "checkpoints" in name]
    assert not [name for name in names if name.startswith("notebooks/") and not name.endswith(".ipynb")]  # no second half
    assert not [path for path in (handout / "notebooks").glob("*.ipynb") if "jupytext" in nbformat.read(path, 4).metadata]
    assert {name for name in names if name.startswith("quiz/bank/")} == {
        "quiz/bank/errata.toml",
        "quiz/bank/sources.toml",
        "quiz/bank/questions.json",
    }
    assert "quiz/formulas.py" not in names  # a formula tells its answer


def test_backups_checkpoints_and_drafts_stay_at_home(tmp_path, monkeypatch):
    course = tmp_path / "course"
    shutil.copytree(ROOT / "notebooks", course / "notebooks")
    for name in (".ipynb_checkpoints/01_a.ipynb", ".course/backups/01_a.2026-01-01_120000.ipynb", "draft.ipynb"):
        (course / "notebooks" / name).parent.mkdir(parents=True, exist_ok=True)
        (course / "notebooks" / name).write_text("{}")
    monkeypatch.setattr(module, "ROOT", course)
    module._notebooks(tmp_path, module.Copy(grader=True, quiz=True, topics=True, solutions=False, keys=False))
    assert set(files(tmp_path / "notebooks")) == {path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}


def test_stubs_are_blank_and_outputs_gone_whatever_the_instructor_has_written(tmp_path, monkeypatch):
    course = tmp_path / "course"
    shutil.copytree(ROOT / "notebooks", course / "notebooks")
    problem = PROBLEMS["lora"]
    fill(course / "notebooks", problem)
    monkeypatch.setattr(module, "ROOT", course)
    module._problem_notebook(problem, tmp_path)
    cells = pair.read(problem.notebook_path(".ipynb", tmp_path)).cells
    sources = [cell.source for cell in cells]
    assert all(stubs.blank(problem, cell) in sources for cell in problem.cells)
    assert not [cell for cell in cells if cell.get("outputs")]


def test_the_makefile_lists_only_what_works_and_the_packages_are_there(tmp_path, handout):
    text = (handout / "Makefile").read_text()
    ours = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", ours, re.MULTILINE)[1].split()) - set(module.TARGETS)
    assert {"test", "bench", "release"} <= targets
    for target in targets:
        assert not re.search(rf"^{target}\\b.*:|make {target}", text, re.MULTILINE)
    assert "instructor" not in text and "-m classroom" not in text and '@echo "make check ' in text
    assert (handout / "pyproject.toml").read_bytes() == (ROOT / "pyproject.toml").read_bytes()
    assert "torch==" in (handout / "requirements.txt").read_text() and "seccomp" not in (handout / "requirements.txt").read_text()
    release(tmp_path / "short", without=["topics"])
    assert "slides" not in (tmp_path / "short" / "Makefile").read_text()
    assert not list((tmp_path / "short" / "notebooks").glob("0[1-5]*"))


# --- no solution is in it -----------------------------------------------------------------------


def test_the_search_knows_every_function_that_is_more_than_a_line():
    known = {problem.id: bodies(problem) for problem in PROBLEMS.values()}
    assert {"finetune", "_warmup_then_decay", "SequenceClassifier.forward", "collate.padded"} <= set(known["sft"])
    assert {"LoRALinear.merge", "LoRALinear.unmerge", "lora_state_dict", "_lora_parameters"} <= set(known["lora"])
    assert "freeze" not in known["peft"] and "IA3Linear.merge" in known["peft"]


PLANTED = '''
def mine(model):
    """Another docstring."""
    if isinstance(model, LoRALinear):   # another comment

        model.merge()
        return model.base
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            if not module.merged and _is_tied(module.base, model):  # else the update would change the embedding, too
                warnings.warn(f"{name} was tied to the embedding. Merged, it has a weight of its own.", stacklevel=2)
                module.base.weight = nn.Parameter(module.base.weight.detach().clone(), requires_grad=False)
            module.merge()
            _replace(model, name, module.base)
    return model
'''


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize(
    "place", ["lab/model.py", "README.md", "notebooks/01_supervised_finetuning.ipynb", "quiz/bank/questions.json"]
)
def test_a_body_is_found_wherever_it_stands(own, place, pack):
    path = own / place
    text = path.read_text(encoding="utf-8")
    if place.endswith(".ipynb"):
        data = json.loads(text)
        data["cells"][-1]["source"] = PLANTED.splitlines(keepends=True)
        text = json.dumps(data)
    elif place.endswith(".json"):
        text = packed.written({"extra.toml": {"item": {"code": PLANTED}}}, pack)
    else:
        text += PLANTED
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReleaseError) as refused:
        search(own)
    assert str(refused.value).startswith(f"{place} holds the body of `merge_lora` as it stands in solutions/lora.py.")


def test_a_body_of_the_instructor_s_stops_the_release_and_leaves_nothing(tmp_path, monkeypatch):
    course = tmp_path / "course"
    for name in ("README.md", "Makefile", "LICENSE", "requirements.txt", "requirements-real.txt", "constraints.txt", "pyproject.toml", "setup.py"):
        course.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, course / name)
    for name in ("notebooks", "quiz", "grader"):
        shutil.copytree(ROOT / name, course / name)
    notebook = PROBLEMS["lora"].notebook_path(".ipynb", course / "notebooks")
    content = pair.read(notebook)
    content.cells.append(nbformat.v4.new_code_cell(stubs.solved(PROBLEMS["sft"], ("collate",))))
    for suffix in (".md", ".ipynb"):
        pair.save_half(content, notebook.with_suffix(suffix))
    monkeypatch.setattr(module, "ROOT", course)
    with pytest.raises(ReleaseError, match="08_problem_lora.* holds the body of `collate`"):
        release(tmp_path / "out", without=["grader"])
    assert [path.name for path in tmp_path.iterdir()] == ["course"]


# --- no key of the quiz is in it ----------------------------------------------------------------


def bare(text: str) -> str:
    """Without blanks, and without what JSON and HTML put into a text."""
    return re.sub(r"[\s\\\"]", "", html.unescape(text))


def telling(item) -> list[str]:
    """The sentences of an item that tell its key: nowhere in a copy may they stand."""
    wrong = (*getattr(item, "options", ()), *getattr(item, "slips", ()))
    return [item.explanation, *(one.reply for one in wrong if one.reply), *getattr(item, "rubric", ())]


@pytest.fixture(scope="module")
def with_keys(tmp_path_factory) -> Path:
    """A copy with the keys of the quiz. Not to be changed."""
    folder = tmp_path_factory.mktemp("release") / "keys"
    release(folder, with_quiz_keys=True)
    return folder


@pytest.mark.parametrize("copy", ["handout", "with_keys"])
def test_no_key_of_the_quiz_lies_open(request, copy):
    texts = {path: bare(content.decode("utf-8", "replace")) for path, content in files(request.getfixturevalue(copy)).items()}
    lessons = texts["quiz/bank/errata.toml"]
    sentences = {(item.id, bare(text)) for item in quiz.items() for text in telling(item)}
    assert len(sentences) > 300 and len({one for one in sentences if one[1] not in lessons}) > len(sentences) - 5
    for name, sentence in sentences:
        assert not [path for path, text in texts.items() if sentence in text and sentence not in lessons], name


FIELDS = {"kind", "level", "about", "stem", "code", "unit", "choices", "left"}


def test_a_question_of_a_copy_holds_nothing_but_what_is_asked(handout):
    """No key, explanation, reply, belief, proof, source, formula, tolerance or number of right options."""
    content = json.loads((handout / "quiz" / "bank" / "questions.json").read_text(encoding="utf-8"))
    assert list(content) == ["files"] and set(content["files"]) == {f"{topic}.toml" for topic in bank.TOPICS}
    questions = {name: one for table in content["files"].values() for name, one in table.items()}
    assert len(questions) == len(quiz.items())
    for item in quiz.items():
        one = questions[keyless.alias(item.id)]
        assert set(one) == FIELDS and all(isinstance(choice, str) for choice in one["choices"])
        assert one["choices"] == sorted(item.choices)  # no order that the bank's own can be found from
        if item.kind in ("ordering", "matching"):
            assert one["choices"] != list(item.choices), item.id
    words = json.dumps(content, ensure_ascii=False)
    assert not [item.id for item in quiz.items() if f'"{item.id}"' in words]  # data-two-bos tells the answer
    assert "claim:" not in words and not [belief for belief in bank.misconceptions().values() if belief.claim in words]


@pytest.mark.parametrize("name", ["lora-form", "lora-when", "sft-no-target", "lora-whiteboard"])
def test_a_key_that_the_instructor_s_notebook_shows_stops_the_release(own, name):
    path = own / "notebooks" / "03_lora.ipynb"
    data = json.loads(path.read_text(encoding="utf-8"))
    page = Page([asking.question(quiz.item(name))])._repr_html_()
    cell = nbformat.v4.new_code_cell("from quiz import show; show()", id="x")
    cell["outputs"] = [nbformat.v4.new_output("execute_result", {"text/html": page.splitlines(keepends=True)})]
    data["cells"].append(cell)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ReleaseError, match=f"^notebooks/03_lora.ipynb tells the answer to the question {name} of the quiz"):
        search_keys(own)


def test_the_quiz_of_a_copy_asks_keeps_and_hands_in(own):
    run = ["-c", "import sys; from quiz.__main__ import main; sys.exit(main(sys.argv[1:]))"]
    chosen = ["--topic", "lora", "--level", "screening", "--count", "2", "--seed", "3"]
    done = python(own, *run, *chosen, typed="a\nb\n")
    assert done.returncode == 0 and done.stdout.count("Your answer is kept. Your instructor has the keys.") == 2, done.stderr
    assert not re.search(r"Right|Not right|Proof", done.stdout)
    done = python(own, *run, "hand-in")
    path = own / "notebooks" / "quiz_answers.json"
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{path} holds your latest answers to 2 of {len(quiz.items())} questions.")
    handed_in = json.loads(path.read_text(encoding="utf-8"))["answers"]
    known = {keyless.alias(item.id): item for item in quiz.items()}
    assert len(handed_in) == 2 and all(one["answer"] in known[name].choices for name, one in handed_in.items())
    done = python(own, *run, "export")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "keys" in done.stderr


def test_a_copy_with_keys_tells_at_once_what_was_right(with_keys, tmp_path):
    own = Path(shutil.copytree(with_keys, tmp_path / "own"))
    run = ["-c", "import sys; from quiz.__main__ import main; sys.exit(main(sys.argv[1:]))"]
    done = python(own, *run, "--topic", "lora", "--level", "screening", "--count", "2", "--seed", "3", typed="a\nb\n")
    assert done.returncode == 0 and done.stdout.count("Proof:") == 2 and "Score: " in done.stdout, done.stderr
    done = python(own, *run, "export")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "packed" in done.stderr


# --- it works -----------------------------------------------------------------------------------


def test_blank_notebooks_are_to_do(own):
    done = make_check(own)
    assert done.returncode == 0 and f"0 of {most_points()} points in all" in done.stdout, done.stdout + done.stderr
    assert "fail" not in done.stdout and f"Quiz: none of {len(bank.items(about='interview'))} questions answered yet." in done.stdout


def test_solved_notebooks_get_full_points_and_nothing_is_said_of_solutions(own):
    for problem in PROBLEMS.values():
        fill(own / "notebooks", problem)
    done = make_check(own)
    assert done.returncode == 0 and f"{most_points()} of {most_points()} points in all" in done.stdout, done.stdout + done.stderr
    assert "All problems are solved." in done.stdout and "solutions" not in done.stdout and "coach" not in done.stdout


GRADED = """
from pathlib import Path
import grader
from grader.judge import grade
from grader.problems import PROBLEMS
from grader.report import as_json, next_step
from grader.submission import SubmissionError, read
print(grader.__file__)
print(next_step(grade(read(Path("right.py")), PROBLEMS["peft"])))
try:
    grade(read(Path("right.py")), PROBLEMS["peft"], seed=5)
except SubmissionError as error:
    print(error)
print(as_json(grade(read(Path("wrong.py")), PROBLEMS["peft"])))
"""
MISTAKE = "memory_in_gigabytes"


def test_the_grader_of_the_copy_sees_what_ours_sees_and_names_no_mistake(own):
    peft = PROBLEMS["peft"]
    right = write(own, "right.py", peft.reference.read_text(encoding="utf-8"))
    wrong = write(own, "wrong.py", right.read_text() + (peft.mistakes / f"{MISTAKE}.py").read_text(encoding="utf-8"))
    done = python(own, "-c", GRADED)
    place, solved, seed, text = done.stdout.split("\n", 3)
    assert Path(place).is_relative_to(own)
    assert solved == "All of Parameter-efficient fine-tuning is solved."
    assert seed == (
        "right.py cannot be graded with seed 5: this copy of the course has no solutions, and holds what they give for seed 2021 only."
    )
    there, here = json.loads(text)["checks"], grade(read(wrong), peft).results
    assert [(c["id"], c["status"], c["message"]) for c in there] == [(r.check.id, r.status, r.message) for r in here]
    assert any(result.diagnosis for result in here) and not any(check["diagnosis"] for check in there)


def test_a_damaged_record_is_answered_with_a_sentence(lora, tmp_path, monkeypatch):
    monkeypatch.setattr(Problem, "recorded", write(tmp_path, "lora.safetensors", "broken"))
    with pytest.raises(SubmissionError, match="recorded/lora.safetensors is damaged"):
        recorded.read.__wrapped__(lora)


def test_reset_brings_the_blank_stubs_back(own, lora):
    path = lora.notebook_path(".ipynb", own / "notebooks")
    blank = path.read_text(encoding="utf-8")
    fill(own / "notebooks", lora)
    assert python(own, "-m", "grader.reset", "lora", "--yes").returncode == 0
    assert path.read_text(encoding="utf-8") == blank and not path.with_suffix(".md").exists()
    assert len(backups.every(own / "notebooks")) == 1


TOPIC = """
from solutions.sft import IGNORE_INDEX, collate, sft_loss
from solutions.peft import ParameterCount
from solutions.lora import LoRALinear
assert IGNORE_INDEX == -100 and ParameterCount(1, 2).total == 2
print(collate([{"input_ids": [1], "labels": [1]}], pad_id=0)["labels"].tolist())
try:
    LoRALinear(None, 1, 1)
except NotImplementedError as error:
    print(error)
try:
    from solutions.sft import evaluate
except ImportError as error:
    print(error)
"""


def test_topics_run_on_what_the_student_has_written(own):
    sft = PROBLEMS["sft"]
    sources = {("collate",): stubs.solved, ("evaluate",): lambda problem, cell: "def evaluate(:"}
    fill(own / "notebooks", sft, lambda problem, cell: sources.get(cell, stubs.blank)(problem, cell))
    done = python(own, "-c", TOPIC)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["[[1]]", "LoRALinear"]
    assert lines[2].startswith("`evaluate` should come from your notebooks/06_problem_sft, but") and "syntax error" in lines[2]


def imports(folder: Path) -> str:
    """What the notebooks import of the course, as a program."""
    found = set()
    for path in (folder / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                found |= set(re.findall(r"^from (?:lab|quiz|solutions|grader)\b[^(\n]*(?:\([^)]*\))?", "".join(cell["source"]), re.MULTILINE))
    assert found
    return "\n".join(sorted(found))


COMBINATIONS = [chosen for count in range(len(PARTS) + 1) for chosen in combinations(PARTS, count)]
IMPORT_ALL = """
import json
from pathlib import Path
for folder, program in json.loads(Path(sys.argv[1]).read_text()):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lab", "quiz", "solutions", "grader")]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    exec(program, {})
    for path in Path(folder).glob("*/*.py"):
        __import__(f"{path.parent.name}.{path.stem}")
    from quiz.register import errata_table
    errata_table("frame")
    import grader
    assert Path(grader.__file__).is_relative_to(folder), grader.__file__
print("all")
"""


def test_notebooks_can_import_what_they_need_whatever_is_left_out(tmp_path):
    programs = []
    for number, without in enumerate(COMBINATIONS):
        release(tmp_path / f"copy{number}", without)
        programs.append((str(tmp_path / f"copy{number}"), imports(tmp_path / f"copy{number}")))
    assert len(set(program for _, program in programs)) == 2  # with and without the topics
    done = python(tmp_path, "-c", IMPORT_ALL, str(write(tmp_path, "programs.json", json.dumps(programs))))
    assert done.stdout == "all\n", done.stderr


INSTRUCTOR = """
import runpy
from IPython.core.interactiveshell import InteractiveShell
from grader import reset
shell = InteractiveShell.instance()
shell.run_cell('from grader.notebook import start; check, hint = start("lora")')
shell.run_cell('print(check("lora"), hint("inject_lora"), sep="|")')
assert reset.main(["lora", "--yes"]) == 0
runpy.run_module("grader", run_name="__main__")
"""


def test_without_the_grader_everything_says_who_grades_and_reset_works(tmp_path):
    release(tmp_path / "copy", ["grader", "topics"])
    done = python(tmp_path / "copy", "-c", INSTRUCTOR)
    sentence = "This copy of the course is graded by your instructor."
    assert done.stdout.count(sentence) == 3 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert "\t@$(RUN) -m grader\n" in (tmp_path / "copy" / "Makefile").read_text()


def test_without_the_quiz_its_commands_and_the_check_say_so(tmp_path):
    release(tmp_path / "copy", ["quiz", "topics"])
    done = python(tmp_path / "copy", "-m", "quiz")
    assert (done.returncode, done.stderr) == (2, "This copy of the course has no questions.\n")
    shown = python(tmp_path / "copy", "-c", "import quiz; print(quiz.show(topic='lora', count=5))")
    assert shown.stdout == "This copy of the course has no questions.\n"
    assert "Quiz: This copy of the course has no questions.\n" in make_check(tmp_path / "copy", "-k", "nothing").stdout


def test_a_copy_without_a_coach_speaks_of_none(handout):
    assert [name for name, content in files(handout).items() if name.startswith(("notebooks/", "README")) and b"coach" in content] == []


def test_a_copy_with_solutions_names_mistakes_and_has_everything(tmp_path):
    peft, folder = PROBLEMS["peft"], tmp_path / "own"
    release(folder, with_solutions=True)
    there = set(files(folder))
    assert {"solutions/peft.py", f"grader/mistakes/peft/{MISTAKE}.py", "quiz/bank/lora.toml"} <= there
    assert not [name for name in there if "recorded/" in name or name.endswith(packed.NAME)]
    wrong = (peft.mistakes / f"{MISTAKE}.py").read_text(encoding="utf-8")
    write(folder, "wrong.py", peft.reference.read_text(encoding="utf-8") + wrong)
    done = python(folder, "-m", "grader", "peft", "wrong.py", "--json")
    assert MISTAKE in {check["diagnosis"] for check in json.loads(done.stdout)["checks"]}
    assert "make plan" in (folder / "README.md").read_text() and "\nplan: " in (folder / "Makefile").read_text()
    asked = ["-m", "coach", "plan", "--when", "tomorrow", "--minutes", "90", "--round", "expert", "--coding", "--without-questions"]
    assert "python -m coach interview" in python(folder, *asked).stdout


# --- folder and zip -----------------------------------------------------------------------------


def test_the_zip_unpacks_to_one_folder_which_equals_the_folder(handout, tmp_path):
    with zipfile.ZipFile(handout.with_name("course.zip")) as file:
        names = file.namelist()
        assert names == sorted(names) and {name.partition("/")[0] for name in names} == {"course"}
        assert {info.external_attr >> 16 for info in file.infolist()} == {0o100644}
        file.extractall(tmp_path)
    assert files(tmp_path / "course") == files(handout)


def test_the_same_course_gives_the_same_bytes(handout, tmp_path):
    assert release(tmp_path / "course").read_bytes() == handout.with_name("course.zip").read_bytes()


def test_what_is_in_the_way_is_refused_and_stays(tmp_path):
    write(tmp_path, "kept.txt", "mine")
    with pytest.raises(ReleaseError, match="exists and is not empty"):
        release(tmp_path)
    write(tmp_path, "new.zip", "mine")
    with pytest.raises(ReleaseError, match="new.zip exists"):
        release(tmp_path / "new")
    assert sorted(files(tmp_path)) == ["kept.txt", "new.zip"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "new").mkdir()
    assert release(tmp_path / "new", ["topics"]) == tmp_path / "new.zip" and (tmp_path / "new" / "README.md").exists()


@pytest.mark.parametrize(
    "without, options, words",
    [
        (["tests"], {}, "no part 'tests'"),
        (["quiz"], {"with_solutions": True}, "only the topics"),
        (["quiz"], {"with_quiz_keys": True}, "has no keys"),
    ],
)
def test_parts_that_cannot_be_left_out_are_refused(tmp_path, without, options, words):
    with pytest.raises(ReleaseError, match=words):
        release(tmp_path / "new", without, **options)
