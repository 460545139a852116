"""One report, drawn three ways: for the terminal, for a notebook (HTML), and as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from desk.markup import marked
from grader.problems import STILL_A_STUB
from grader.quote import clean
from grader.verdict import Report, Result


def as_json(report: Report) -> str:
    """The object that the contract describes."""
    checks = [
        {
            "id": result.check.id,
            "stub": result.check.stub,
            "status": result.status,
            "points": result.points,
            "message": result.words,
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
    failing = sum(result.fails for result in results)
    if failing:
        return f"{failing} of {len(results)} checks fail"
    return "to do" if any(result.status == "todo" for result in results) else "solved"


def diagnosis_text(result: Result) -> str | None:
    """What a known mistake has to say about a failed check."""
    return f"{result.diagnosis.title} {result.diagnosis.lesson}" if result.diagnosis else None


def more(others: int, same: int, known: bool) -> str:
    """`2 more checks fail, both with the same known mistake.`

    Args:
        others: how many checks fail beside the one that is shown.
        same: how many of these fail as that one does.
        known: its mistake is known.
    """
    fail = f"{others} more {'check fails' if others == 1 else 'checks fail'}"
    if not same:
        return f"{fail}."
    how = "with the same known mistake" if known else "for the same reason"
    who = f"{same} of them" if same < others else {1: "", 2: "both"}.get(same, "all of them")
    return f"{fail}, {who} {how}.".replace("  ", " ")


def _more(shown: Result, others: Sequence[Result]) -> str:
    known = shown.diagnosis is not None
    same = sum(other.diagnosis == shown.diagnosis if known else _fails_alike(other, shown) for other in others)
    return more(len(others), same, known)


def _fails_alike(one: Result, other: Result) -> bool:
    return one.diagnosis is None and (one.message == other.message or one.fact == other.fact != "")


def todo_notes(messages: Sequence[str]) -> list[str]:
    """What is to be said of checks that are to do, each once. Of a stub that nobody has touched, nothing."""
    return [message for message in dict.fromkeys(messages) if not message.endswith(STILL_A_STUB)]


def _todo_notes(results: Sequence[Result]) -> list[str]:
    return todo_notes([result.message for result in results if result.status == "todo"])


SAME = "For the same reason as above."


def _new_notes(results: Sequence[Result], said: set[str]) -> list[str]:
    """The notes on a stub that is to do; what was said of another stub already, in short. `said` grows."""
    notes = [SAME if note in said else note for note in _todo_notes(results)]
    said.update(notes)
    return list(dict.fromkeys(notes))


def _notices(report: Report, shown: Sequence[str]) -> list[str]:
    """The notices, without those that a message which is shown as well says already."""
    return [notice for notice in report.notices if not any(notice in message for message in shown)]


def next_step(report: Report) -> str:
    """The one thing to do next."""
    if report.first_failure:
        return f"Next: mend {report.first_failure.check.stub} in {_place(report)}."
    if report.next_stub:
        return f"Next: write {report.next_stub} in {_place(report)}."
    return f"All of {report.problem.title} is solved.{_beside(report.problem.id, report)}"


def _beside(problem: str, report: Report) -> str:
    """How to see one's code beside the reference, where there is one."""
    if report.problem.recorded.exists():
        return ""
    call = f'from coach.compare import compare; compare("{problem}")' if report.live else f"python -m coach compare {problem}"
    return f" Your code beside the reference: {call}"


def _place(report: Report) -> str:
    """The file that was graded, as seen from the current folder if it lies below that."""
    if report.live:
        return "this notebook"
    path = Path(report.path or f"notebooks/{report.problem.notebook}.ipynb")
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return str(path)


def current(reports: list[Report]) -> Report:
    """The report that tells what to do next: a failure first, then what was begun, then what is to do."""
    failing = [report for report in reports if report.first_failure]
    unsolved = [report for report in reports if report.next_stub]
    begun = [report for report in unsolved if report.score]
    return (failing or begun or unsolved or reports)[0]


def _plain(text: str) -> str:
    """Text as it stands, whatever it holds: no markup, and nothing that a terminal obeys."""
    return escape(clean(text))


# --- terminal -----------------------------------------------------------------------------------


def print_report(report: Report, console: Console, *, hint: tuple[int, str] | None = None) -> None:
    """Status of each stub, the first failing check with its diagnosis and a hint, and the next step.

    Args:
        hint: its number and its text.
    """
    _print_stubs(report, console, report.first_failure)
    _print_failure(report, console, hint)
    console.print(f"\n{_plain(next_step(report))}", soft_wrap=True)


def print_course(reports: list[Report], console: Console, *, hint: tuple[int, str] | None = None) -> None:
    """All problems in one picture: what is solved, the first failing check, and the one next step.

    The stubs are listed for problems that were begun and are not solved. `hint` is for the report that
    `current` chooses.
    """
    shown = current(reports).first_failure
    for report in reports:
        statuses = {stub_status(report, stub) for stub in report.problem.stubs}
        if len(statuses) == 1 and statuses <= {"solved", "to do"} and not _todo_notes(report.results):
            _print_notices(report, console, [])
            _print_line(statuses.pop(), report.problem.title, _points(report), console, indent="")
        else:
            _print_stubs(report, console, shown)
    score, most = sum(report.score for report in reports), sum(report.max_score for report in reports)
    filled = round(30 * score / most)
    console.print(f"\n[green]{'█' * filled}[/][dim]{'░' * (30 - filled)}[/]  {score} of {most} points in all")
    report = current(reports)
    _print_failure(report, console, hint)
    if score == most:
        console.print(f"\nAll problems are solved.{_beside('PROBLEM', report)}", markup=False)
    else:
        console.print(f"\n{_plain(next_step(report))}", soft_wrap=True)


def _points(report: Report) -> str:
    return f"{report.score} of {report.max_score} points"


def _print_notices(report: Report, console: Console, shown: Sequence[str]) -> None:
    for notice in _notices(report, shown):
        console.print(f"[yellow]Note:[/] {_plain(notice)}")


def _print_line(status: str, name: str, text: str, console: Console, indent: str = "  ") -> None:
    mark, style = {"solved": ("✓", "green"), "to do": ("·", "dim")}.get(status, ("✗", "red"))
    console.print(f"{indent}[{style}]{mark} {_plain(name):<32}[/] {text}")


def _print_stubs(report: Report, console: Console, failure: Result | None) -> None:
    """The status of each stub. `failure` will be shown in full below."""
    _print_notices(report, console, [*_todo_notes(report.results), *([failure.message] if failure else [])])
    console.print(f"\n[bold]{report.problem.title}[/]   {_points(report)}")
    said: set[str] = set()
    for stub in report.problem.stubs:
        status = stub_status(report, stub)
        _print_line(status, stub, status, console)
        for note in _new_notes(report.of(stub).results, said):
            console.print(Padding(_plain(note), (0, 0, 0, 6)))


def _print_failure(report: Report, console: Console, hint: tuple[int, str] | None) -> None:
    """The first check that fails, in full."""
    failure = report.first_failure
    if not failure:
        return
    console.print(f"\n[bold]The first check that fails[/] ({failure.check.id})")
    lines = [f"What must hold: {failure.check.title}", f"What was seen:  {failure.message}"]
    if failure.diagnosis:
        lines.append(f"[bold]Known mistake:[/]  {_plain(diagnosis_text(failure))}")
    if failure.fact:
        lines.append(f"[bold]A clue:[/]         {_plain(failure.fact)}")
    if hint:
        lines.append(f"Hint {hint[0]} of 3:    {_plain(hint[1])}")
    for line in lines:
        text = line if line.startswith("[bold]") or line.startswith("Hint") else _plain(line)
        console.print(Padding(text, (0, 0, 0, 2)))
    others = [result for result in report.results if result.fails and result is not failure]
    if others:
        console.print(f"  {_more(failure, others)}")


# --- notebook -----------------------------------------------------------------------------------


def as_html(report: Report) -> str:
    """Stub by stub: what passes in a fold, the first failure in full, the others in a fold."""
    shown = [result.message for result in report.results if result.fails or result.status == "todo"]
    parts = [f"<p><em>Note: {_code(notice)}</em></p>" for notice in _notices(report, shown)]
    parts.append(f"<p><strong>{report.score} of {report.max_score} points</strong></p>")
    said: set[str] = set()
    for stub in _stubs_of(report):
        status = stub_status(report, stub)
        results = report.of(stub).results
        failures = [result for result in results if result.fails]
        colour, mark = {"solved": ("#00703c", "✓"), "to do": ("#555555", "·")}.get(status, ("#b30000", "✗"))
        parts.append(
            f'<p style="margin: 0.3em 0"><span style="color: {colour}; font-weight: bold">{mark} {status}</span> '
            f"<code>{stub}</code></p>"
        )
        notes = _new_notes(results, said)
        parts += [f'<div style="margin: 0.2em 0 0.5em 1.5em">{_code(note)}</div>' for note in notes]
        parts += [_html_failure(result) for result in failures[:1]]
        if failures[1:]:
            parts += _fold(_more(failures[0], failures[1:]), map(_html_failure, failures[1:]))
        passed = [f"<div>✓ {_code(result.check.title)}</div>" for result in results if result.status == "passed"]
        parts += _fold(f"what was checked and holds: {len(passed)}", passed)
    return "\n".join(parts)


def _fold(summary: str, items) -> list[str]:
    """The items behind a line that opens on a click. Nothing, if there are none."""
    items = list(items)
    if not items:
        return []
    return [f'<details style="margin-left: 1.5em"><summary>{summary}</summary>', *items, "</details>"]


def _html_failure(result: Result) -> str:
    lines = [
        f"<strong>What must hold:</strong> {_code(result.check.title)}",
        f"<strong>What was seen:</strong> {_code(result.message)}",
    ]
    if result.diagnosis:
        lines.append(f"<strong>Known mistake:</strong> {_code(diagnosis_text(result))}")
    if result.fact:
        lines.append(f"<strong>A clue:</strong> {_code(result.fact)}")
    return f'<div style="margin: 0.2em 0 0.5em 1.5em">{"<br>".join(lines)}</div>'


def _code(text: str) -> str:
    """Escaped text in which `…` becomes code."""
    return marked(clean(text))


def _stubs_of(report: Report) -> list[str]:
    present = {result.check.stub for result in report.results}
    return [stub for stub in report.problem.stubs if stub in present]


def as_text(report: Report) -> str:
    """The same in plain text, for places that show no HTML. No sentence is repeated."""
    shown = [result.message for result in report.results if result.fails or result.status == "todo"]
    lines = [f"Note: {notice}" for notice in _notices(report, shown)]
    lines.append(f"{report.score} of {report.max_score} points")
    said: set[str] = set()
    for stub in _stubs_of(report):
        results = report.of(stub).results
        lines.append(f"{stub}: {stub_status(report, stub)}")
        lines += [f"  {note}" for note in _new_notes(results, said)]
        for message, result in _first_of_each_message(results).items():
            lines += [f"  {SAME}"] if message in said else _text_failure(result, said)
            said.add(message)
    return clean("\n".join(lines))


def _first_of_each_message(results: Sequence[Result]) -> dict[str, Result]:
    """The failures of a stub, without those of which the same would be said once more."""
    first: dict[str, Result] = {}
    for result in results:
        if result.fails:
            first.setdefault(result.message, result)
    return first


def _text_failure(result: Result, said: set[str]) -> list[str]:
    lines = [f"  What must hold: {result.check.title}", f"  What was seen:  {result.message}"]
    if result.diagnosis:
        known = diagnosis_text(result)
        lines.append(f"  Known mistake:  {'the same' if known in said else known}")
        said.add(known)
    if result.fact:
        lines.append(f"  A clue:         {'the same' if result.fact in said else result.fact}")
        said.add(result.fact)
    return lines
