"""Reads GIFT as Moodle's own `question/format/gift` does: questions stand in paragraphs, answers in braces."""

import re
from collections.abc import Iterator

from quiz.importing import text
from quiz.importing.draft import Answer, Question, Unreadable
from quiz.importing.moodle import last_of

_ESCAPED = ":#={}~n"
_HIDDEN = {sign: chr(0x10FF00 + place) for place, sign in enumerate(_ESCAPED)}  # private signs, as long as a text is cut up
_SHOWN = {hidden: "\n" if sign == "n" else sign for sign, hidden in _HIDDEN.items()}


def questions(written: str) -> Iterator[Question]:
    """The questions of a text, each with the category that stands before it. Unreadable says which one is wrong."""
    category = ""
    for block in re.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+", written.replace("\r\n", "\n").replace("\r", "\n").strip()):
        comments = [line.strip() for line in block.split("\n") if line.strip().startswith("//")]
        body = "\n".join(line for line in block.split("\n") if not line.strip().startswith("//")).strip()
        if body.startswith("$CATEGORY:"):
            category = last_of(body.removeprefix("$CATEGORY:").split("\n")[0])
            body = "\n".join(body.split("\n")[1:]).strip()
        if body:
            yield _question(_hide(body), category, " ".join(comments))


def _hide(written: str) -> str:
    """The text with each escaped sign as a private one, so that it cuts nothing."""
    return re.sub(r"\\(.)", lambda found: _HIDDEN.get(found[1], found[1] if found[1] == "\\" else found[0]), written)


def _show(written: str) -> str:
    """A text as it is meant: an escaped sign is that sign, and where a line was only too long for the file, it goes on."""
    written = re.sub(r"\s*\n\s*", " ", written)
    return "".join(_SHOWN.get(sign, sign) for sign in written).strip()


def _question(body: str, category: str, comments: str) -> Question:
    named = re.match(r"::(.*?)::", body, re.S)
    name, body = (_show(named[1]), body[named.end() :].strip()) if named else ("", body)
    begins, ends = body.find("{"), body.find("}")
    if (begins < 0) != (ends < 0) or ends < begins:
        raise Unreadable(f"is no GIFT that can be read: a brace is missing in “{_show(body)[:60]}”.")
    if begins < 0:
        return Question("description", name or _show(body)[:40], category, _show(body))
    answers, gap = body[begins + 1 : ends].strip(), "" if body.endswith("}") else "_____"
    asked, sort = _format(body[:begins] + gap + body[ends + 1 :])
    answers, _, reason = answers.rpartition("####") if "####" in answers else (answers, "", "")
    answers = answers.strip()
    stem, code = text.read(_html(asked, sort))
    identity = re.search(r"\[id:([^\[\]]*)\]", comments)
    question = Question(
        type="",
        name=identity[1] if identity else name,
        category=category,
        stem="\n\n".join(stem),
        code=code,
        explanation=text.explanation(_html(*_format(reason, sort))),
        unit=text.unit(_html(asked, sort)),
        tags=tuple(re.findall(r"\[tag:([^\[\]]*)\]", comments)),
    )
    question.name = question.name or question.stem[:40]
    _answers(question, answers, sort)
    return question


def _answers(question: Question, answers: str, sort: str) -> None:
    """What stands in the braces tells the type, as in Moodle."""
    plain = answers.split("#", 1)[0].strip().upper()
    if not answers:
        question.type = "essay"
    elif answers.startswith("#"):
        question.type = "numerical"
        question.answers = [_number(part) for part in _cut(answers[1:], "=", "=")]
    elif "~" in answers:
        question.type = "multichoice" if "=" in answers else "multichoiceset"
        question.answers = [_answer(part, sort, html=True) for part in _cut(answers, "~=", "~")]
    elif "=" in answers and "->" in answers:
        question.type = "matching"
        for part in _cut(answers, "=", "="):
            left, _, right = part[1:].partition("->")
            question.pairs.append((text.line(_html(*_format(left, sort))), _show(right)))
    elif plain in ("T", "TRUE", "F", "FALSE"):
        question.type = "truefalse"
        said = [text.paragraphs(_html(*_format(part, sort))) for part in answers.split("#")[1:]] or [()]
        right, wrong = ("true", "false") if plain.startswith("T") else ("false", "true")
        question.answers = [Answer(right, 100), Answer(wrong, 0, said[0])]
    else:
        question.type = "shortanswer"
        question.answers = [_answer(part, sort, html=False) for part in _cut(answers, "=", "=")]


def _cut(answers: str, signs: str, first: str) -> list[str]:
    """The answers, each with the sign that it begins with. The first may have none."""
    parts = [part for part in re.split(rf"(?=[{signs}])", answers.strip()) if part.strip()]
    return [part if part[0] in signs else first + part for part in parts]


def _answer(part: str, sort: str, html: bool) -> Answer:
    written, worth, feedback = _parts(part)
    shown = text.line(_html(*_format(written, sort))) if html else _show(written).replace("\\*", "*")
    return Answer(shown, worth, text.paragraphs(_html(*_format(feedback, sort))))


def _number(part: str) -> Answer:
    """A number with its tolerance, or the bounds of an interval."""
    written, worth, feedback = _parts(part)
    said = text.paragraphs(_html(*_format(feedback)))
    low, between, high = written.partition("..")
    try:
        if between:
            return Answer(f"{(float(low) + float(high)) / 2:.12g}", worth, said, (float(high) - float(low)) / 2)
        value, _, tolerance = written.partition(":")
        return Answer(_show(value), worth, said, float(tolerance or 0))
    except ValueError:
        return Answer(_show(written), worth, said)


def _parts(part: str) -> tuple[str, float, str]:
    """The text of an answer, what it is worth in per cent, and its feedback."""
    written, _, feedback = part[1:].partition("#")
    worth = 100.0 if part.startswith("=") else 0.0
    if weighed := re.match(r"\s*%(-?\d+\.?\d*)%", written):
        worth, written = float(weighed[1]), written[weighed.end() :]
    return written.strip(), worth, feedback


def _format(written: str, sort: str = "moodle") -> tuple[str, str]:
    """A text, and the format that it names in front or else has from its question."""
    named = re.match(r"\s*\[(html|moodle|plain|markdown)\]", written)
    return (written[named.end() :], named[1]) if named else (written, sort)


def _html(written: str, sort: str) -> str:
    shown = _show(written)
    if sort == "html" or (sort == "moodle" and re.search(r"<[a-zA-Z/]|&[#a-zA-Z0-9]+;", shown)):
        return shown
    return text.escaped(shown)
