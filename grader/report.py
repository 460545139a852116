"""One report, drawn three ways: for the terminal, for a notebook (HTML), and as JSON."""

import html
import json

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from grader.judge import Report, Result

MARKS = {"passed": "✓", "todo": "·", "failed": "✗", "error": "✗", "timeout": "✗"}
WORDS = {"passed": "solved", "todo": "to do", "failed": "failed", "error": "error", "timeout": "out of time"}


def as_json(report: Report) -> str:
    """The object that the contract describes."""
    checks = [
        {
            "id": result.check.id,
            "stub": result.check.stub,
            "status": result.status,
            "points": result.points,
            "message": result.message,
            "diagnosis": result.diagnosis.id if result.diagnosis else None,
        }
        for result in report.results
    ]
    return json.dumps(
        {"problem": report.problem.id, "score": report.score, "max_score": report.max_score, "checks": checks},
        indent=2,
        ensure_ascii=False,
    )


def stub_status(report: Report, stub: str) -> str:
    """`solved`, `to do`, or how many of a stub's checks fail."""
    results = report.of(stub).results
    failing = sum(result.status not in ("passed", "todo") for result in results)
    if failing:
        return f"{failing} of {len(results)} checks fail"
    return WORDS["todo"] if any(result.status == "todo" for result in results) else WORDS["passed"]


def diagnosis_text(result: Result) -> str | None:
    """What a known mistake has to say about a failed check."""
    return f"{result.diagnosis.title} {result.diagnosis.lesson}" if result.diagnosis else None


def next_step(report: Report) -> str:
    """The one thing to do next."""
    if report.first_failure:
        return f"Next: mend {report.first_failure.check.stub}."
    if report.next_stub:
        return f"Next: write {report.next_stub} in notebooks/{report.problem.notebook}.ipynb."
    return f"All of {report.problem.title} is solved. Compare with solutions/{report.problem.id}.py."


# --- terminal -----------------------------------------------------------------------------------


def print_report(report: Report, console: Console, *, hint: tuple[int, str] | None = None) -> None:
    """Status of each stub, the first failing check with its diagnosis and a hint, and the next step.

    Args:
        hint: its number and its text.
    """
    for notice in report.notices:
        console.print(f"[yellow]Note:[/] {escape(notice)}")
    console.print(f"\n[bold]{report.problem.title}[/]   {report.score} of {report.max_score} points")
    for stub in report.problem.stubs:
        status = stub_status(report, stub)
        mark, style = {"solved": ("✓", "green"), "to do": ("·", "dim")}.get(status, ("✗", "red"))
        console.print(f"  [{style}]{mark} {escape(stub):<28}[/] {status}")
    failure = report.first_failure
    more = sum(result.status not in ("passed", "todo") for result in report.results) - 1
    if failure:
        console.print(f"\n[bold]The first check that fails[/] ({failure.check.id})")
        lines = [f"What must hold: {failure.check.title}", f"What was seen:  {failure.message}"]
        if failure.diagnosis:
            lines.append(f"[bold]Known mistake:[/]  {escape(diagnosis_text(failure))}")
        if hint:
            lines.append(f"Hint {hint[0]} of 3:    {escape(hint[1])}")
        for line in lines:
            text = line if line.startswith("[bold]") or line.startswith("Hint") else escape(line)
            console.print(Padding(text, (0, 0, 0, 2)))
        if more:
            console.print(f"  ({more} more {'check fails' if more == 1 else 'checks fail'}, perhaps for the same reason.)")
    console.print(f"\n{escape(next_step(report))}")


# --- notebook -----------------------------------------------------------------------------------


def as_html(report: Report) -> str:
    """A small table of checks. Failures come with their evidence and their diagnosis."""
    rows = []
    for notice in report.notices:
        rows.append(f"<p><em>Note: {html.escape(notice)}</em></p>")
    done = sum(result.status == "passed" for result in report.results)
    rows.append(
        f"<p><strong>{done} of {len(report.results)} checks pass, {report.score} of {report.max_score} points.</strong></p>"
    )
    rows.append('<ul style="list-style: none; padding-left: 0">')
    for result in report.results:
        rows.append(f"<li>{_html_row(result)}</li>")
    rows.append("</ul>")
    return "\n".join(rows)


def _html_row(result: Result) -> str:
    colour = {"passed": "#00703c", "todo": "#666666"}.get(result.status, "#b30000")
    title = _code(result.check.title)
    word = WORDS[result.status]
    head = f'<span style="color: {colour}; font-weight: bold">{MARKS[result.status]} {word}</span> {title}'
    if result.status in ("passed", "todo"):
        return head
    body = f"<br>{_code(result.message)}"
    if result.diagnosis:
        body += f"<br><strong>Known mistake:</strong> {_code(diagnosis_text(result))}"
    return f'{head}<div style="margin: 0 0 0.5em 1.5em">{body.removeprefix("<br>")}</div>'


def _code(text: str) -> str:
    """Escaped text in which `…` becomes code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def as_text(report: Report) -> str:
    """The same in plain text, for places that show no HTML."""
    lines = [f"{report.score} of {report.max_score} points"]
    for result in report.results:
        lines.append(f"{MARKS[result.status]} {WORDS[result.status]}: {result.check.title}")
        if result.status not in ("passed", "todo"):
            lines.append(f"    {result.message}")
        if result.diagnosis:
            lines.append(f"    Known mistake: {diagnosis_text(result)}")
    return "\n".join([*report.notices, *lines])
