"""The pages that are drawn from the bank's data: errata, bibliography, beliefs and numbers."""

from markupsafe import Markup

from coach.cheatsheet import page as sheet
from coach.cheatsheet import sheets
from quiz import bank, register
from web import words

PARTS = {
    "frame": "The article as a whole",
    "sft": "Topic 1: supervised fine-tuning",
    "peft": "Topic 2: parameter-efficient fine-tuning",
    "lora": "Topic 3: LoRA",
    "data": "Topic 4: preparing the data",
    "hyperparameters": "Topic 5: hyper-parameters",
    "script-6": "The first script: supervised fine-tuning",
    "script-7": "The second script: parameter-efficient fine-tuning",
    "script-8": "The third script: LoRA",
}
ERRATUM = Markup(
    '<section class="entry" id="{name}"><h3><a href="#{name}">{name}</a> <span class="verdict {verdict}">{verdict}</span></h3>'
    '<dl><dt>The article says</dt><dd>{claim}</dd>{true}</dl><p class="from">{proof} Sources: {sources}.</p></section>'
)
TRUE = Markup("<dt>What is true</dt><dd>{}</dd>")
BELIEF = Markup(
    '<section class="entry" id="{name}"><h2><a href="#{name}">{name}</a> <span class="verdict wrong">not so</span></h2>'
    "<dl><dt>Many believe</dt><dd>{claim}</dd><dt>What is true</dt><dd>{correction}</dd></dl></section>"
)
SOURCE = Markup(
    '<section class="entry source" id="{key}"><h2><a href="#{key}">{key}</a></h2>'
    '<p>{authors}: <cite>{title}</cite>, {year}. <a href="{link}">{where}</a>.</p><p class="from">Checked: {checked}.</p></section>'
)


def errata() -> str:
    """Each statement of the article that was judged, with an address of its own."""
    found = register.errata()
    wrong = sum(erratum.verdict != "right" for erratum in found.values())
    text = [
        "# What the article says, and what is true",
        f"This course was made from [an article](tour.md#the-article) of interview questions. {len(found)} of its statements were judged, and {wrong} of them are wrong, "
        "misleading, outdated, or lack what matters. A wrong idea beside the right one makes the right one clear. You can skip this page: the lessons do not need it.",
    ]
    for topic, title in PARTS.items():
        text.append(f"## {title}")
        for name, erratum in found.items():
            if erratum.topic == topic:
                text.append(
                    ERRATUM.format(
                        name=name,
                        verdict=erratum.verdict,
                        claim=words.prose(erratum.claim),
                        true=TRUE.format(words.prose(erratum.correction)) if erratum.correction else "",
                        proof=words.proof(erratum.cell, erratum.proof, ""),
                        sources=words.cited(erratum.sources, ""),
                    )
                )
    return _document(text)


def bibliography() -> str:
    """Each source, with an address of its own, in the order of the keys."""
    text = [
        "# Bibliography",
        f"{len(register.sources())} sources. Each says how it was checked for this course before it was cited.",
    ]
    for key, source in sorted(register.sources().items()):
        checked = register.CHECKED[source.checked] + (f". {source.note}" if source.note else "")
        text.append(
            SOURCE.format(
                key=key,
                authors=source.authors.rstrip("."),
                title=words.prose(source.title),
                year=source.year,
                link=source.link,
                where=f"arXiv {source.arxiv}" if source.arxiv else _short(source.url),
                checked=words.prose(checked.rstrip(".")),
            )
        )
    return _document(text)


def _short(url: str) -> str:
    return url.split("//", 1)[-1].rstrip("/").removeprefix("www.")


def beliefs() -> str:
    """The beliefs behind the wrong options of the quiz."""
    text = [
        "# What many believe, and what is true",
        "The beliefs behind the wrong options of the quiz that come back in more than one question.",
    ]
    for name, one in bank.misconceptions().items():
        text.append(BELIEF.format(name=name, claim=words.prose(one.claim), correction=words.prose(one.correction)))
    return _document(text)


def numbers() -> str:
    """The numbers, bills and recipes of the cheat sheets as tables, a topic each."""
    text = [
        "# Numbers to know",
        "Numbers, bills and recipes, with their sources and the cells that prove them. GB are 10⁹ bytes.",
    ]
    for topic in sheets.TOPICS:
        rows = [entry for entry in sheets.entries(topic) if entry.kind in ("number", "bill", "recipe")]
        if not rows:
            continue
        text.append(f"## {bank.TOPICS[topic]}")
        row = Markup('<tr><td>{}</td><td>{}{}<p class="from">{} Sources: {}.</p></td></tr>')
        math = Markup('<span class="math">{}</span> ')
        body = Markup("").join(
            row.format(
                entry.kind,
                math.format(sheet.math(entry.math)) if entry.math else "",
                sheet.prose(entry.said),
                words.proof(entry.cell, "shows", ""),
                words.cited(entry.sources, "") or "the cell",
            )
            for entry in rows
        )
        head = "<thead><tr><th>kind</th><th>what</th></tr></thead>"
        text.append(f'<div class="scrolls"><table class="facts">{head}<tbody>{body}</tbody></table></div>')
    return _document(text)


def _document(parts: list[str]) -> str:
    return "\n\n".join(str(part) for part in parts) + "\n"
