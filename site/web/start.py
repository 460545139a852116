"""The first page: what to do, on one screen. And the order in which the pages stand."""

from coach.cheatsheet import sheets
from quiz import bank

STEPS = """\
# Fine-tuning language models

A course that proves its answers: for the candidate the night before an interview, and for the instructor with a room of students. Each answer names the cell that shows it, or its sources.

<nav class="steps" aria-label="What to do"><a href="notebooks/{first}.html"><strong>Read</strong><span>{topics} topics, each with a short answer, a long one, and experiments on a small model.</span></a>\
<a href="quiz.html"><strong>Be asked</strong><span>{questions} questions. A wrong answer is told what is wrong with the idea behind it.</span></a>\
<a href="{practice}"><strong>Practise</strong><span>{problems} coding problems, with hints, and faults to find.</span></a>\
<a href="cheatsheets/all.html"><strong>Print</strong><span>Formulas, numbers, recipes and traps on two pages.</span></a></nav>

New here? Begin with [topic 1](notebooks/{first}.ipynb), then let the [quiz](quiz.md) ask you about it. Your answers stay in this browser. \
To run the experiments and to have your code graded, [take the course to your computer](tour.md).
"""
TREE = """\
```{{toctree}}
:hidden:
:caption: {caption}
{pages}
```
"""


def document(notebooks: list[str], practice: list[str], problems: list[str]) -> str:
    """The start page.

    Args:
        notebooks: the names of all notebooks, in their order.
        practice: the documents of the practice pages.
        problems: the problems' names.
    """
    topics = [name for name in notebooks if "problem" not in name and "real" not in name]
    text = STEPS.format(
        first=notebooks[0],
        topics=len(topics),
        questions=len(list(bank.items(about="interview"))),
        problems=len(problems),
        practice=f"{practice[0]}.html",
    )
    trees = {
        "Read": [f"notebooks/{name}" for name in notebooks if name in topics or "real" in name],
        "Be asked": ["quiz"],
        "Practise": [*practice, *(f"notebooks/{name}" for name in notebooks if "problem" in name)],
        "References": [f"references/{name}" for name in problems],
        "Cheat sheets": ["cheatsheets/all", *(f"cheatsheets/{topic}" for topic in sheets.TOPICS)],
        "Look up": ["numbers", "beliefs", "errata", "bibliography"],
        "The course": ["tour", "guide/model", "guide/bank", "contributing"],
        "For instructors": ["guide/classroom", "guide/installation"],
    }
    parts = [TREE.format(caption=caption, pages="\n".join(pages)) for caption, pages in trees.items()]
    return "\n".join([text, *parts])


QUIZ = """\
# Quiz

Ten questions at a time, graded here in the page. Nothing is sent anywhere: answers and the schedule of what comes back stay in this browser.

<div class="course-quiz-desk"></div>
<noscript><p>The questions need JavaScript. Without it, the terminal asks them: <code>python -m quiz</code>.</p></noscript>
"""
