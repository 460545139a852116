"""A notebook with its saved outputs as a page of the site. Nothing is run."""

import ast
import html
import re
from pathlib import Path

import nbformat

import solved
from desk import elsewhere
from web import links, outputs

CLAIM = re.compile(r"^#{6} (claim-([a-z]+)-([a-z0-9_-]+))[^\S\n]*$", re.MULTILINE)
DRAWN_BY = re.compile(r"^(?:register\.\w+|quiz\.show)\(", re.MULTILINE)
QUIZ = "quiz.show("
WITH_REFERENCE = '<p class="from">With the reference solution, this cell gives:</p>'
ASKED_HERE = 'Questions on this topic. What you miss, <a href="../quiz.html">the quiz</a> asks again from the next day on, and its drill at once.'
QUIZ_WORDS = re.compile(r"[^\n]*`make quiz ARGS=[^\n]*")
DRAWN_TAGS = ("hide-input", "remove-input")
NO_SCRIPT = "The questions need JavaScript. Without it, the terminal asks them: <code>python -m quiz --topic {topic}</code>."


def page(path: Path, static: Path) -> nbformat.NotebookNode:
    """The notebook as MyST-NB reads it, its figures as files.

    Args:
        path: the notebook, with its saved outputs.
        static: the folder _static, which takes the figures.
    """
    notebook = nbformat.read(path, as_version=4)
    cells, in_part = [], False
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if elsewhere.INSTALL in tags:
            continue
        if cell.cell_type == "markdown":
            if elsewhere.LINKS in tags:
                cell.source = _elsewhere(cell.source, path)
            in_part = in_part or bool(cells) and bool(re.search(r"^# ", cell.source, re.MULTILINE))
            if in_part:  # a page has one title
                cell.source = re.sub(r"^(#{1,4}) ", r"#\1 ", cell.source, flags=re.MULTILINE)
            cell.source = _prose(QUIZ_WORDS.sub(ASKED_HERE, cell.source), path)
            cells.append(cell)
        elif QUIZ in cell.source:
            cells.append(nbformat.v4.new_markdown_cell(quiz_block(cell.source)))
        else:
            cells.append(_code(cell, static, path.stem))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # new cells get random ones
    notebook.cells = cells
    notebook.metadata = {"kernelspec": notebook.metadata.get("kernelspec", {}), "language_info": {"name": "ipython"}}
    return notebook


def _prose(text: str, path: Path) -> str:
    """A Markdown cell: the heading above a claim becomes the claim's address, and links lead to pages."""
    text = CLAIM.sub(r'<p class="claim" id="\1"><a href="#\1" title="The address of this claim">\2.\3</a></p>', text)
    return links.markdown(text, f"notebooks/{path.name}", f"notebooks/{path.stem}")


def quiz_block(call: str) -> str:
    """The place where the page asks what `quiz.show(...)` asks in a notebook."""
    node = next(
        node for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Call) and ast.unparse(node.func) == "quiz.show"
    )
    told = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
    shown = {name: told[name] for name in ("topic", "level", "count", "article") if told.get(name)}
    data = "".join(f' data-{name}="{html.escape(str(value).lower())}"' for name, value in shown.items())
    remark = NO_SCRIPT.format(topic=html.escape(told.get("topic", "lora")))
    return f'<div class="course-quiz"{data}></div>\n<noscript><p>{remark}</p></noscript>'


def _code(cell, static: Path, name: str):
    tags = cell.metadata.get("tags", [])
    if DRAWN_BY.search(cell.source):
        tags = [tag for tag in tags if tag != "hide-input"] + ["remove-input"]  # the call says nothing to a reader
    cell.metadata = {"tags": [tag for tag in tags if tag in DRAWN_TAGS]}
    shown = _solved(cell, name) if solved.waits(cell) else cell.outputs
    cell.outputs = [_output(output, static, name) for output in _joined(shown)]
    cell.execution_count = None
    return cell


def _solved(cell, name: str) -> list:
    """What a cell that needs a stub gives with the reference. Without a record it says that it needs the stub."""
    recorded = solved.outputs(name).get(solved.key(cell))
    if recorded is None:
        return cell.outputs
    note = nbformat.v4.new_output("display_data", {"text/html": WITH_REFERENCE})
    return [note, *map(nbformat.from_dict, recorded)]


def _joined(outputs: list) -> list:
    """Printed text in one piece, where a notebook holds it in several."""
    joined = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def _output(output, static: Path, name: str):
    if "text/html" in output.get("data", {}):
        output.data = {"text/html": outputs.drawn(output.data["text/html"], static, name)}
    return output


def _elsewhere(text: str, path: Path) -> str:
    """The line that opens the notebook on another machine, and gives it as a file."""
    first = re.split(r"(?<=\))\.\s", text, maxsplit=1)[0].rstrip(".")
    return f'{first}, or <a href="{path.name}" download>download it</a>.'
