// One question after another: a round, a review or a drill.

import { make } from "../../../quiz/question.js";
import { address, feedback, inWords, question } from "./asking.js";
import { inWords as beliefInWords } from "./beliefs.js";
import { grade } from "./grading.js";
import { button, comeTo, pose, score } from "./pose.js";
import { nextQuestion } from "./rounds.js";

// Asks what is left of a session. leave: goes back to where the round was begun.
export async function runRound(course, place, { number: session, plan }, { said = "", leave }) {
  await course.data.load(plan.items);
  const { data, store } = course;
  const items = plan.items.filter((id) => data.items.has(id));

  function step(remark = "") {
    const answered = new Set(store.attempts(session).map(({ item }) => item));
    const at = items.findIndex((id) => !answered.has(id));
    if (at < 0) {
      finish(remark);
      return;
    }
    const asked = question(data.items.get(items[at]), plan.seed);
    const last = answered.size + 1 >= items.length;
    show(course, place, asked, {
      heading: `Question ${at + 1} of ${items.length}`,
      session,
      exam: plan.exam,
      next: step,
      last,
      stop,
      said: at ? remark : said,
    });
  }

  function stop() {
    const given = store.attempts(session);
    const words = "Stopped. What you answered is kept; go on whenever you like.";
    showEnd(course, place, "Stopped", [make("p", {}, words), ...(plan.exam ? [] : summary(data, given))], leave);
  }

  function finish(remark) {
    store.end(session);
    const given = store.attempts(session);
    const exam = plan.exam
      ? given.filter(({ item }) => data.items.has(item)).map((one) => corrected(course, one, plan.seed))
      : [];
    showEnd(course, place, "Done", [...(remark ? [make("p", {}, remark)] : []), ...summary(data, given), ...exam], leave);
  }

  step();
}

// Asks until nothing of a drill is left. All items must be loaded.
export function runDrill(course, place, drill, leave) {
  const { data, store } = course;
  const session = store.begin({ items: [], seed: drill.seed, exam: false, drill: true });
  store.end(session); // a drill is gone on with by another one
  const belief = (id) => {
    const { claim, correction } = drill.beliefs[id] ? beliefInWords(data, drill.beliefs[id]) : { claim: "" };
    return claim && `This question was asked because of the belief: “${claim}” ${correction}`.trim();
  };

  function step() {
    const { next, toGo, number } = nextQuestion(data, { ...drill, session }, store.attempts());
    if (next === null) {
      end("Done", "Nothing of this drill is left.");
      return;
    }
    const asked = question(data.items.get(next), drill.seed + number); // other letters each time
    show(course, place, asked, {
      heading: `Question ${number}, ${toGo} to go`,
      session,
      next: step,
      after: belief(next),
      stop: () => end("Stopped", "What you answered is kept; begin the drill again, and it goes on."),
    });
  }

  const end = (heading, words) =>
    showEnd(course, place, heading, [make("p", {}, words), ...summary(data, store.attempts(session))], leave);
  step();
}

function show(course, place, asked, { heading, session, exam = false, next, last = false, stop, after = "", said = "" }) {
  const answered = (remark) => {
    if (exam) {
      next(remark);
      return;
    }
    asks.end();
    if (after) asks.form.append(make("p", {}, after));
    const on = button(last ? "See the result" : "Next question", () => next(), { class: "primary" });
    leave.before(on);
    on.addEventListener("keydown", (event) => event.repeat && event.preventDefault()); // Enter, held down, skips no feedback
    on.focus({ preventScroll: true });
    const feedback = asks.form.querySelector(".feedback");
    feedback.scrollIntoView({ block: feedback.offsetHeight > 0.7 * window.innerHeight ? "start" : "nearest" });
  };
  const asks = pose(course, asked, { heading, session, tell: !exam, button: exam ? "Next question" : null, answered });
  const leave = button("Stop", stop);
  const opening = said ? [make("p", {}, said)] : [];
  place.replaceChildren(...opening, asks.form, make("p", { class: "buttons" }, leave));
  comeTo(place);
  asks.focus();
}

function showEnd(course, place, heading, parts, leave) {
  const title = make("h2", { tabindex: "-1" }, heading);
  place.replaceChildren(title, ...parts, make("p", { class: "buttons" }, button("Back", leave, { class: "primary" })));
  title.focus({ preventScroll: true });
  comeTo(place);
}

// The score by topic, and what to read again.
function summary(data, attempts) {
  if (!attempts.length) return [make("p", {}, "Nothing was answered.")];
  const topics = Object.entries(data.topics).map(([topic, { title }]) => [
    title,
    attempts.filter((one) => one.topic === topic),
  ]);
  const rows = topics
    .filter(([, given]) => given.length)
    .map(([title, given]) => {
      return make("li", {}, `${title}: ${score(given)} of ${given.length}`);
    });
  const missed = attempts
    .filter((one) => one.score < 1 && data.items.has(one.item))
    .map(({ item }) => data.items.get(item).places[0]);
  const again = [...new Map(missed.map(([title, link]) => [title, link]))].map(([title, link]) => {
    return make("li", {}, make("a", { href: address(link, data.root), target: "course-proof" }, title));
  });
  return [
    make("p", {}, make("strong", {}, `Score: ${score(attempts)} of ${attempts.length}`)),
    make("ul", {}, ...rows),
    ...(again.length ? [make("p", {}, make("strong", {}, "Read again:")), make("ul", {}, ...again)] : []),
  ];
}

// A question of an exam, afterwards: what was asked, what was answered, and what is to be said about it.
function corrected(course, attempt, seed) {
  const asked = question(course.data.items.get(attempt.item), seed);
  const result = grade(asked.item, attempt.answer);
  const asks = pose(course, asked, { heading: "Exam" });
  const words = inWords(asked, attempt.answer);
  asks.end();
  asks.form
    .querySelector("fieldset")
    .append(make("p", {}, make("strong", {}, "Your answer:")), ...words.map((row) => make("p", {}, row)));
  asks.show(feedback(asked, result, course.data));
  return asks.form;
}
