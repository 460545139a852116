"""The page about the class: what to look at, all students, points, the hardest checks, known mistakes, what looks copied."""

import math
from collections import Counter
from collections.abc import Iterable
from statistics import median

from markupsafe import Markup

from classroom.grading import answers
from classroom.likeness.report import words_of
from classroom.likeness.similar import ALIKE, HONEST
from classroom.outgoing import figures
from classroom.outgoing.markup import file_name, number, page
from classroom.outgoing.overrides import TOTAL
from classroom.outgoing.shown import Shown
from classroom.outgoing.standing import BY_HAND, EXCUSED, MISSING, Standing, key_of
from grader.quote import clean

GROUPS = 10  # columns of a figure of scores
MOST_NOTES = 3  # on one student's work for one problem, in the table of the class. The student's page has all
MOST_QUESTIONS = 15  # of the quiz in the table of those that the room misses. More are in a fold
MOST_LINKS = 8  # students that are named beside a mistake. More are in a fold
STATES = {  # of a student or a problem, by the words that the page filters by
    "late": "late",
    "by hand": "to be graded by hand",
    "overridden": "overridden",
    "excused": "excused",
    "missing": "nothing handed in",
    "incident": "an incident in the grading",
    "alike": "looks copied",
}


def class_page(shown: Shown) -> str:
    """The page about the class as HTML."""
    students = sorted(shown.students, key=lambda student: student["folder"])
    names = {student["folder"]: student["name"] or student["folder"] for student in students}
    of_problem = {p: [shown.results[f, p] for f in names if (f, p) in shown.results] for p in shown.titles}
    hard, mistakes = _hardest(of_problem), _mistakes(of_problem)
    rows = [_row(shown, student) for student in students] + [_missing_row(shown, person) for person in shown.missing]
    states = Counter(state for row in rows for state in row["states"])
    return page(
        "teacher.html",
        names=names,
        problems=shown.titles,
        scores=[_scores(shown, problem) for problem in shown.titles],
        hard=hard,
        hard_figure=_hard_figure(hard),
        mistakes=mistakes,
        mistakes_figure=_mistakes_figure(mistakes),
        rows=rows,
        by_hand=[(f, p, one.why) for f in names for p, one in shown.own[f].items() if one.status == BY_HAND],
        states={state: (words, states[state]) for state, words in STATES.items() if states[state]},
        most={problem: shown.assignment.most(problem) for problem in shown.titles},
        whole=shown.assignment.whole if shown.titles else 0,
        missing=shown.missing,
        unreadable=shown.unreadable,
        incidents=[(r["student"], p, text) for p in shown.titles for r in of_problem[p] for text in _incidents(r)],
        likenesses=_likenesses(shown),
        groups=_groups(shown),
        honest=HONEST,
        limit=ALIKE,
        pairs=_pairs(shown),
        quiz=shown.quiz,
        missed=answers.missed(shown.quiz.values()),
        most_links=MOST_LINKS,
        most_questions=MOST_QUESTIONS,
    )


# --- the table of students ----------------------------------------------------------------------


def _row(shown: Shown, student: dict) -> dict:
    """A student's row in the table: points for each problem and in all, in which states they are, and what is to be noted."""
    folder = student["folder"]
    own, total = shown.own[folder], shown.total[folder]
    results = {problem: shown.results.get((folder, problem)) for problem in shown.titles}
    states = {problem: _states(shown, student, problem) for problem in shown.titles}
    notes = (
        [f"Late: {student['late']}." if student["late"].strip().casefold() != "late" else "Late."] if student["late"] else []
    )
    notes += [f"{shown.titles[problem]}: {one.why}" for problem, one in own.items() if _tells(one, results[problem])]
    notes += [f"In all: {total.why}"] if (folder, TOTAL) in shown.overrides and total.why else []
    notes += _comments([*own.values(), total])
    notes += student["notes"]
    for problem, result in results.items():
        notes += [f"{shown.titles[problem]}: {notice}" for notice in (result["notices"] if result else [])[:MOST_NOTES]]
    quiz = shown.quiz.get(folder)
    return {
        "name": student["name"] or folder,
        "folder": folder,
        "link": True,
        "points": [_cell(one) for one in own.values()],
        "total": _cell(total),
        "quiz": (quiz.points, "" if quiz.refused else number(quiz.score)) if quiz else ("–", ""),
        "states": [state for state in STATES if any(state in found for found in states.values())],
        "keys": _keys(states),
        "notes": notes,
    }


def _missing_row(shown: Shown, person: dict) -> dict:
    key = key_of(person)
    own, total = shown.own.get(key, {}), shown.total.get(key)
    excused = bool(total) and total.status == EXCUSED
    states = {problem: {_state(own[problem])} if problem in own else {"missing"} for problem in shown.titles}
    return {
        "name": person.get("name") or "(no name)",
        "folder": " ".join(filter(None, [person.get("id"), person.get("email")])),
        "link": False,
        "points": [_cell(own.get(problem)) for problem in shown.titles],
        "total": _cell(total),
        "quiz": ("–", ""),
        "states": ["excused"] if excused else [state for state in STATES if any(state in found for found in states.values())],
        "keys": _keys(states),
        "notes": ["Nothing was handed in.", *_comments([*own.values(), *filter(None, [total])])],
    }


def _comments(standings: Iterable[Standing]) -> list[str]:
    """The instructor's comments, each once."""
    return [f"“{comment}”" for comment in dict.fromkeys(one.comment for one in standings) if comment]


def _tells(standing: Standing, result: dict | None) -> bool:
    """Whether the reason of a grade is more than that nothing was handed in, which the cell says."""
    return bool(standing.why) and (result is not None or standing.status != MISSING)


def _states(shown: Shown, student: dict, problem: str) -> set[str]:
    folder = student["folder"]
    result, standing = shown.results.get((folder, problem)), shown.own[folder][problem]
    there = {
        "late": bool(student["late"]) and result is not None,
        "overridden": shown.overridden(folder, problem),
        "incident": result is not None and bool(_incidents(result)),
        "alike": folder in shown.alike.folders(problem),
        _state(standing): True,
    }
    return {state for state, holds in there.items() if holds and state}


def _state(standing: Standing) -> str:
    return {BY_HAND: "by hand", EXCUSED: "excused", MISSING: "missing"}.get(standing.status, "")


def _keys(states: dict[str, set[str]]) -> list[str]:
    """What the page filters by: each state, alone and with its problem, and the problems that were handed in."""
    keys = {state for found in states.values() for state in found}
    keys |= {f"{problem}:{state}" for problem, found in states.items() for state in found}
    keys |= {f"{problem}:" for problem, found in states.items() if "missing" not in found}
    return sorted(keys)


def _cell(standing: Standing | None) -> tuple[str, str]:
    """What a cell of the table says, and the number by which it is sorted, "" if it has none."""
    if standing is None:
        return "–", ""
    if standing.points is not None:
        return number(standing.points), number(standing.points)
    return {MISSING: "–", BY_HAND: "by hand", EXCUSED: "excused"}.get(standing.status, "–"), ""


def _incidents(result: dict) -> list[str]:
    return [*result["incidents"], *result.get("suspicions", ())]


# --- what looks copied --------------------------------------------------------------------------


def _likenesses(shown: Shown) -> list[dict]:
    """What is like a known text, with the pages that put it beside that."""
    return [
        {
            "title": shown.titles[problem],
            "words": one.words,
            "who": [(folder, view_name(problem, folder, one.text) if one.text else "") for folder in one.folders],
        }
        for problem, one in shown.alike.likenesses
    ]


def _pairs(shown: Shown) -> list[dict]:
    return [
        {"title": shown.titles[problem], "one": pair.one, "other": pair.other, "words": words_of(pair), "share": pair.share}
        | {"page": view_name(problem, pair.one, pair.other)}
        for problem, pair in shown.alike.pairs
    ]


def _groups(shown: Shown) -> list[tuple[str, list[str]]]:
    """Those who hang together by pairs, where they are three or more: the problem's title, and their folders."""
    found: list[tuple[str, set[str]]] = []
    for problem, pair in shown.alike.pairs:
        title, joined = shown.titles[problem], set(pair[:2])
        for group in [group for group in found if group[0] == title and group[1] & joined]:
            joined |= group[1]
            found.remove(group)
        found.append((title, joined))
    return [
        (title, sorted(group))
        for title, group in sorted(found, key=lambda one: (-len(one[1]), one[0], min(one[1])))
        if len(group) > 2
    ]


def view_name(problem: str, one: str, other: str) -> str:
    """The file in the folder `likeness` that puts two codes beside each other."""
    return file_name(problem, one, other)


# --- points, checks, mistakes -------------------------------------------------------------------


def _scores(shown: Shown, problem: str) -> dict:
    """How the points in a problem are spread."""
    found = [own[problem] for own in shown.own.values()]
    title, points = shown.titles[problem], [one.points for one in found if one.points is not None]
    most = max((one.most for one in found), default=0.0)
    columns = _columns(points, most)
    alt = f"Points in {clean(title)}, and how many students have them: "
    alt += "; ".join(f"{label}: {count}" for label, count in columns.items() if count) + "."
    counts = Counter(one.status for one in found)
    return {
        "title": title,
        "figure": figures.columns(columns, f"scores-{problem}", alt, x=f"points, of {number(most)}") if points else None,
        "graded": len(points),
        "by_hand": counts[BY_HAND],
        "excused": counts[EXCUSED],
        "absent": counts[MISSING],
        "median": number(median(points)) if points else None,
        "full": sum(score >= most for score in points),
        "most": number(most),
    }


def _columns(points: Iterable[float], most: float) -> dict[str, int]:
    """How many have so many points, in groups of whole points. More than all is in the last group."""
    width = -(-(math.floor(most) + 1) // GROUPS)
    lows = range(0, math.floor(most) + 1, width)
    highs = {low: min(low + width - 1, math.ceil(most)) for low in lows}
    counts = Counter(min(max(int(score // width * width), 0), lows[-1]) for score in points)
    return {(f"{low}–{high}" if high > low else f"{low}"): counts[low] for low, high in highs.items()}


def _hardest(of_problem: dict[str, list[dict]]) -> list[dict]:
    """The checks that the smallest share passes of those who have tried, at most as many as a figure shows."""
    tried, passed, checks = Counter(), Counter(), {}
    for problem, found in of_problem.items():
        for check in (check for result in found for check in result["checks"]):
            key = (problem, check["id"])
            checks.setdefault(key, check)
            tried[key] += check["status"] != "todo"
            passed[key] += check["status"] == "passed"
    hard = [
        {
            "problem": key[0],
            "check": check,
            "tried": tried[key],
            "passed": passed[key],
            "share": passed[key] / tried[key],
        }
        for key, check in checks.items()
        if passed[key] < tried[key]
    ]
    return sorted(hard, key=lambda row: (row["share"], -row["tried"]))[: figures.MOST_BARS]


def _hard_figure(hard: list[dict]) -> Markup | None:
    rows = [
        (
            clean(row["check"]["title"]),
            100 * row["share"],
            f"{100 * row['share']:.0f} % ({row['passed']} of {row['tried']})",
        )
        for row in hard
    ]
    alt = "The checks that the fewest pass, of those who have tried: "
    alt += "; ".join(f"{label} {text}" for label, _, text in rows)
    return figures.bars(rows, "hardest", alt, most=100) if rows else None


def _mistakes(of_problem: dict[str, list[dict]]) -> list[dict]:
    """The known mistakes with the students who make them, the most frequent first. Each student counts once."""
    made: dict[tuple[str, str], dict] = {}
    for problem, found in of_problem.items():
        for result in found:
            for mistake in (check["diagnosis"] for check in result["checks"] if check["diagnosis"]):
                row = made.setdefault((problem, mistake["id"]), {"problem": problem, "mistake": mistake, "folders": []})
                if result["student"] not in row["folders"]:
                    row["folders"].append(result["student"])
    return sorted(made.values(), key=lambda row: (-len(row["folders"]), row["problem"], row["mistake"]["id"]))


def _mistakes_figure(mistakes: list[dict]) -> Markup | None:
    rows = [(clean(row["mistake"]["title"]), len(row["folders"]), str(len(row["folders"]))) for row in mistakes]
    rows = rows[: figures.MOST_BARS]
    alt = "The known mistakes and how many students make them: " + "; ".join(f"{label} {text}" for label, _, text in rows)
    return figures.bars(rows, "mistakes", alt, most=rows[0][1]) if rows else None
