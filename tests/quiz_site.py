"""A small site around the quiz, as web.quizzes writes it: its page, a topic's page, and one with the modules for the tests."""

import json
import os
import sys
from pathlib import Path

from grader.problems import ROOT
from quiz import bank

sys.path.append(str(ROOT / "site"))

from web import bundle, quizzes  # noqa: E402

PAGE = """<!doctype html><html lang="en" data-content_root="./"><meta charset="utf-8"><title>Quiz</title>
<link rel="stylesheet" href="course/quiz.css"><script defer src="course/quiz.js"></script><body><main><h1>Quiz</h1>{}</main>"""
# What the tests ask the modules themselves, put together as the pages' scripts are.
PROBE = """
import { BadAnswer, grade } from "SCRIPTS/grading.js";
import { marks, question, shown, understand, verdict } from "SCRIPTS/asking.js";
import { canonical, parse, text } from "SCRIPTS/exact.js";
import { due, memory } from "SCRIPTS/schedule.js";
import { Data } from "SCRIPTS/data.js";
import { held, inWords } from "SCRIPTS/beliefs.js";
import { drillPlan, nextQuestion } from "SCRIPTS/rounds.js";
import { Store } from "SCRIPTS/store.js";

function outcome(item, given, words) {
  const choices = item.options ?? item.steps ?? item.pairs ?? [];
  const asked = shown(item, choices.map((_, place) => place));
  try {
    let answer = "answer" in given ? given.answer : understand(asked, given.typed, words);
    if ("marks" in given) answer = marks(asked, given.marks);
    const result = grade(item, answer);
    return { score: result.score, verdict: verdict(result), replies: result.replies };
  } catch (error) {
    if (!(error instanceof BadAnswer)) throw error;
    return { refusal: error.message };
  }
}

function drilled(attempts) {
  const data = new Data(window.courseQuiz);
  for (const topic of Object.keys(data.topics)) data.take(topic);
  const [plan, beliefs] = [drillPlan(data, attempts), held(data, attempts)];
  const sentences = beliefs.map(({ belief }) => inWords(data, belief)).map(({ claim, correction }) => [claim, correction]);
  return { plan, held: beliefs, sentences, next: nextQuestion(data, { ...plan, session: 5 }, attempts) };
}

window.probe = { outcome, question, canonical, parse, text, due, memory, drilled, Store };
"""


def build(folder: Path) -> Path:
    """Writes quiz.html, topic.html and probe.html into a folder, which it returns."""
    quizzes.write(folder / "course")
    (folder / "quiz.html").write_text(PAGE.format('<div class="course-quiz-desk"></div>'), encoding="utf-8")
    (folder / "topic.html").write_text(
        PAGE.format('<div class="course-quiz" data-topic="lora" data-count="4"></div>'), encoding="utf-8"
    )
    where = Path(os.path.relpath(quizzes.SCRIPTS, folder)).as_posix()
    (folder / "entry.js").write_text(PROBE.replace("SCRIPTS", where), encoding="utf-8")
    (folder / "probe.js").write_text(bundle.script(folder / "entry.js"), encoding="utf-8")
    (folder / "index.js").write_text(f"window.courseQuiz = {json.dumps(quizzes.index())};", encoding="utf-8")
    loaded = ("course/ts-fsrs.js", "index.js", *(f"course/bank-{topic}.js" for topic in bank.TOPICS), "probe.js")
    scripts = "".join(f'<script src="{name}"></script>' for name in loaded)
    (folder / "probe.html").write_text(f'<!doctype html><meta charset="utf-8">{scripts}', encoding="utf-8")
    return folder
