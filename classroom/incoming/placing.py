"""Which of a student's files count, and what they are called in the student's folder."""

import re
from datetime import datetime
from pathlib import Path

from classroom.incoming.archives import why_not
from classroom.incoming.collection import ANSWERS, Collection, Student
from classroom.incoming.errors import CollectError
from classroom.incoming.people import Group
from classroom.incoming.reading import QUIZ, SUFFIXES, Candidate
from classroom.incoming.roster import plain_letters
from classroom.incoming.times import in_words, late_by
from grader.problems import PROBLEMS

_SHOWN = 5  # files that were left out, in the notes


class Plan:
    """The students of a collection, and for each file that counts its place: where it is kept, where it goes, its date."""

    def __init__(self, collection: Collection, attempt: str, due: datetime | None):
        self.collection, self.first, self.due = collection, attempt == "first", due
        self.moves: list[tuple[Path, str, int]] = []
        self._used: set[str] = set()

    def add(self, group: Group) -> None:
        """Choose the files of a student."""
        name = self._folder_name(group)
        student = Student(name, group.name, group.id, group.email, group.platform, "", {}, notes=list(group.notes))
        self.collection.students.append(student)
        if len(group.ids) > 1:
            student.notes.append(f"{group.platform.title()} has several numbers for this student: {', '.join(group.ids)}.")
        student.group, student.members = group.team, self._members(group)
        taken = [one for problem in PROBLEMS for one in self._problem(problem, group.candidates, student)]
        if rivals := self._of_one_attempt([one for one in group.candidates if one.problem == QUIZ], student):
            taken.append(self._place(rivals, ANSWERS, student))
            student.quiz = ANSWERS
        self._lateness(group, taken, student)
        modules = self._modules(group, {one.claim.attempt for one in taken}, student)
        others = sorted(f"{where} {why}." for owner in group.owners for where, why in owner.others if where not in modules)
        student.notes += others[:_SHOWN]
        if count := len(others[_SHOWN:]):
            student.notes.append(f"{count} more {'file' if count == 1 else 'files'} of this student were left out.")

    def _problem(self, problem: str, candidates: list[Candidate], student: Student) -> list[Candidate]:
        """The files that count for a problem."""
        notebook, taken = PROBLEMS[problem].notebook, []
        of_problem = self._of_one_attempt([one for one in candidates if one.problem == problem], student)
        for suffix in SUFFIXES:
            if rivals := [one for one in of_problem if one.suffix == suffix]:
                taken.append(self._place(rivals, notebook + suffix, student))
                student.files.setdefault(problem, []).append(notebook + suffix)
        names = student.files.get(problem, [])
        if len(names) > 1 and names[-1].endswith(".py"):
            student.notes.append(f"For {problem} there are a notebook and {names[-1]}; see which one counts.")
        return taken

    def _of_one_attempt(self, rivals: list[Candidate], student: Student) -> list[Candidate]:
        """The files of the attempt that counts. The others are told."""
        attempts = sorted({one.claim.attempt for one in rivals})
        if len(attempts) < 2:
            return rivals
        if any(attempt.startswith("?") for attempt in attempts):
            dates = " and ".join(attempt.removeprefix("?") for attempt in attempts)
            raise CollectError(
                f"Which attempt of {student.name} came last is not clear from the dates {dates}. Take the others out."
            )
        counts = attempts[0 if self.first else -1]
        student.attempt = ", ".join(dict.fromkeys(filter(None, [student.attempt, counts])))
        student.earlier += [
            f"{one.claim.attempt}: {one.where}" for one in sorted(rivals, key=_when) if one.claim.attempt != counts
        ]
        return [one for one in rivals if one.claim.attempt == counts]

    def _place(self, rivals: list[Candidate], name: str, student: Student) -> Candidate:
        """The file of the highest rank. The others are told."""
        sign = -1 if self.first else 1
        best = max(rivals, key=lambda one: (sign * one.claim.upload, one.rank))
        self.moves.append((best.place, f"{student.folder}/{name}", best.date))
        student.sources.setdefault(best.problem, best.where)
        left = sorted(one.where for one in rivals if one.digest != best.digest)
        if left:
            double = {"folder": student.folder, "problem": best.problem, "taken": best.where, "left": left}
            self.collection.doubles.append(double)
            student.notes.append(f"{len(left) + 1} files claim to be {name}: {best.where} was taken, not {', '.join(left)}.")
        return best

    def _modules(self, group: Group, attempts: set[str], student: Student) -> set[str]:
        """Where the modules were that are put beside the answers of these attempts."""
        found = set()
        for owner in group.owners if student.files else ():
            for (attempt, module), (place, where) in sorted(owner.modules.items(), reverse=True):
                if module not in student.modules and attempt in attempts:
                    self.moves.append((place, f"{student.folder}/{module}", place.stat().st_mtime_ns))
                    student.modules.append(module)
                    found.add(where)
        return found

    def _lateness(self, group: Group, taken: list[Candidate], student: Student) -> None:
        """When it was handed in, and how late: by the platform's words, else by the list of the class, else by the due date."""
        claims = [one.claim for one in taken] or [claim for owner in group.owners for claim in owner.claims]
        times = [claim.submitted for claim in claims if claim.submitted]
        when = max(times, key=lambda time: time.replace(tzinfo=None), default=None)
        student.submitted = when.isoformat(sep=" ") if when else ""
        if late := next((claim for claim in claims if claim.late), None):
            student.late, student.late_seconds = late.late, late.late_seconds
        if group.person and group.person.late and (not student.late or student.late_seconds is None):
            student.late, student.late_seconds = group.person.late, group.person.late_seconds
        if self.due and when and (not student.late or student.late_seconds is None) and (seconds := late_by(when, self.due)):
            student.late, student.late_seconds = f"{in_words(seconds)} late", seconds
        if group.person and _is_draft(group.person.status):
            student.notes.append(f"Moodle has this as “{group.person.status}”.")

    def _members(self, group: Group) -> list[str]:
        """The names of all for whom a team's hand-in counts."""
        if not group.team:
            return []
        return sorted({name for owner in group.owners for name in owner.members})

    def slug(self, text: str) -> str:
        """Small letters, digits and hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", plain_letters(text)).strip("-")[:60].strip("-")

    def _folder_name(self, group: Group) -> str:
        """A name for the folder, such as `jorg-muller-1234567`, that no other student has."""
        base = "-".join(filter(None, [self.slug(group.name) or "student", self.slug(group.id)]))
        if why_not(base):
            base += "-student"  # Con is a name, and a device of Windows
        name, count = base, 1
        while name in self._used:
            count += 1
            name = f"{base}-{count}"
        self._used.add(name)
        return name


def _when(candidate: Candidate) -> tuple[str, str]:
    return candidate.claim.attempt, candidate.where


def _is_draft(status: str) -> bool:
    return bool(re.search(r"draft|entwurf|brouillon|borrador|bozza|rascunho|concept", status, re.IGNORECASE))
