// Spot the fault: a file in which one thing is wrong, two tries to name the line, and then what is wrong with it.

import { make, marked } from "../../../quiz/question.js";
import { LEVELS, differences, fileOf, load, next } from "./data.js";
import { button, coloured } from "./elements.js";
import { canKeep, keep, outcomes } from "./kept.js";
import { listing } from "./lines.js";

const TRIES = 2;
const UNLOADED = "The exercises cannot be loaded. Is the page's folder whole, and are you online if it comes from the internet? Try again.";

function listed(numbers) {
  const [last, ...others] = numbers.map(String).reverse();
  return others.length ? `lines ${others.reverse().join(", ")} and ${last}` : `line ${last}`;
}

// How far a reader is, in a sentence.
function progress(names, level, told) {
  const solved = names.filter((name) => told[name] === "solved").length;
  const seen = names.filter((name) => told[name] === "seen").length;
  const kind = level ? `${level} exercises` : "exercises";
  if (solved === names.length) return `You have solved all ${names.length} ${kind}.`;
  return `You have solved ${solved} of ${names.length} ${kind}${seen ? `, and seen the answer to ${seen} more` : ""}.`;
}

function difference(data, exercise) {
  const tags = { "-": ["del", "in this file: "], "+": ["ins", "in the reference: "], " ": ["span", ""] };
  const rows = differences(data, exercise).flatMap((lines, place) => {
    const drawn = lines.map(([sign, html]) => {
      const [tag, words] = tags[sign];
      const hidden = make("span", { class: "course-hidden" }, words);
      return make(tag, { class: "line" }, hidden, make("span", { "aria-hidden": "true" }, `${sign} `), coloured(html));
    });
    return place ? [make("span", { class: "line" }, "⋯"), ...drawn] : drawn;
  });
  return make("pre", { class: "course-difference", tabindex: "0", "aria-label": "The difference" }, ...rows);
}

// One exercise. done(isSolved) is called at its end, another() when the reader wants to go on.
function exercising(data, exercise, { done, another }) {
  const file = fileOf(data, exercise);
  const title = `course-fault-title-${exercise.id}`;
  const heading = make("h3", { tabindex: "-1", id: title }, `What was seen (${exercise.level})`);
  const place = make("div", { class: "highlight" });
  const status = make("p", { role: "status" });
  const result = make("div", { class: "course-result" });
  const marks = new Map();
  let parts = exercise.parts;
  let chosen = null;
  let left = TRIES;

  const draw = () => {
    const box = listing({ file, parts, marks, chosen, labelledBy: title, choose, answer });
    place.replaceChildren(box);
    return box;
  };
  const choose = (line) => {
    chosen = line;
    send.disabled = marks.has(line);
    send.textContent = marks.has(line) ? "Choose another line" : `Line ${line} is at fault`;
  };
  const answer = (line) => {
    if (!left || marks.has(line)) return;
    if (exercise.faulty.includes(line)) return end(true, `Yes, line ${line} is at fault.`);
    left -= 1;
    marks.set(line, { sign: "✗", words: "not at fault", css: "wrong" });
    if (!left) return end(false, `Line ${line} is not at fault either. The fault is in ${listed(exercise.faulty)}.`);
    status.textContent = `No, line ${line} is not at fault. You have one more try.`;
    send.disabled = true;
    send.textContent = "Choose another line";
    draw().focus({ preventScroll: true });
    place.querySelector("[aria-selected=true]").scrollIntoView({ block: "nearest", behavior: "instant" });
  };
  const end = (isSolved, words) => {
    left = 0;
    for (const line of exercise.faulty) marks.set(line, { sign: "➜", words: "at fault", css: "fault" });
    draw();
    bar.remove();
    others.remove();
    const verdict = make("h4", { tabindex: "-1", class: isSolved ? "right" : "wrong" }, words);
    const sees = make("a", { href: `#check-${exercise.check.id}` }, ...marked(exercise.check.title));
    result.replaceChildren(
      verdict,
      make("p", {}, make("strong", {}, ...marked(exercise.title)), " ", ...marked(exercise.lesson)),
      make("p", {}, "The difference (− this file, + the reference):"),
      make("div", { class: "highlight" }, difference(data, exercise)),
      make("p", {}, "The check that sees it: ", sees),
      make("p", { class: "row" }, button("Another one", another, "send")),
    );
    done(isSolved);
    verdict.focus();
  };

  const send = button("Choose a line", () => chosen && answer(chosen), "send");
  send.disabled = true;
  const whole = button("Show the whole file", () => {
    parts = [[1, file.length]];
    whole.remove();
    draw().focus({ preventScroll: true });
  });
  const show = button("Show the fault", () => end(false, `The fault is in ${listed(exercise.faulty)}.`));
  const bar = make("div", { class: "course-bar" }, status, make("div", { class: "row" }, send));
  const others = make("div", { class: "row" }, whole, show);
  draw();
  const how =
    "Which line is at fault? Choose it by a click or with the arrow keys, then press the button or Enter. You have two tries. " +
    "Where something is missing, the line before it or behind it is right. The docstrings are right.";
  const symptom = make("p", { class: "symptom" }, ...marked(exercise.symptom));
  return { heading, block: make("div", {}, heading, symptom, make("p", {}, how), place, bar, others, result) };
}

// The place of the exercises in a page. What it says without a script is replaced.
function desk(place) {
  const { problem, total } = place.dataset;
  const names = `course-level-${problem}`;
  const said = make("p", { class: "progress" });
  const problems = make("p", { role: "alert" });
  const stage = make("div");
  let data = null;
  let exercise = null;
  let level = "";

  const tell = () => {
    const known = data?.exercises.filter((one) => !level || one.level === level).map(({ id }) => id);
    const told = outcomes(problem);
    const before = Object.values(told).filter((outcome) => outcome === "solved").length; // until the data say which there are
    said.textContent = known ? progress(known, level, told) : `You have solved ${Math.min(before, total)} of ${total} exercises.`;
    if (!canKeep()) said.append(" Your browser keeps nothing of this page, so the count ends when you close it.");
  };
  const another = () => {
    exercise = next(data, level, outcomes(problem), exercise);
    const shown = exercising(data, exercise, { done, another });
    stage.replaceChildren(shown.block);
    shown.heading.focus();
  };
  const done = (isSolved) => {
    keep(problem, exercise.id, isSolved);
    tell();
  };
  const begin = async () => {
    problems.textContent = "";
    try {
      data = await load(problem);
    } catch {
      problems.textContent = UNLOADED;
      return;
    }
    tell();
    another();
  };

  const options = ["", ...LEVELS].map((value) => make("option", { value }, value || "any level"));
  const select = make("select", { id: names }, ...options);
  select.addEventListener("change", () => {
    level = select.value;
    tell();
    if (data) another();
  });
  const start = button("Start", begin, "send");
  stage.append(start);
  tell();
  place.replaceChildren(make("div", { class: "row" }, make("label", { for: names }, "Level"), select), said, problems, stage);
}

for (const place of document.querySelectorAll(".course-practice")) desk(place);
