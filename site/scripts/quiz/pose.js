// A question in the page: drawn, then graded, then kept, and only then told about.

import { ask, make } from "../../../quiz/question.js";
import { drawn, feedback, judged } from "./asking.js";

// The form of a question.
//
// session: the round to which an answer belongs, if it belongs to one.
// heading: what stands in front of topic and level.
// button: what the button says, if not what it does.
// tell: whether the feedback is shown.
// answered: is called after each answer, with what the person should know about its keeping, or nothing.
export function pose(course, asked, { heading, session = null, button = null, tell = true, answered = () => {} }) {
  const { data, store } = course;
  const question = drawn(asked, heading, data);
  const asks = ask({ ...question, button: asked.item.rubric ? question.button : (button ?? question.button) }, send, {
    linked,
  });

  function send(said) {
    const judgement = judged(asked, said, data.words);
    if (!judgement.result) {
      asks.show(judgement);
      return;
    }
    const remark = keep(store, asked.item, judgement, session);
    if (tell) asks.show({ ...feedback(asked, judgement.result, data), remark });
    answered(remark);
  }

  return asks;
}

// Keeps the answer. Returns what the person should know about that, or nothing.
function keep(store, item, { answer, result }, session) {
  try {
    store.add(item, result.score, answer, session);
    return "";
  } catch (error) {
    return `This answer was not recorded: ${error.message}.`;
  }
}

// Places of the course share one window beside this one, where the question stays.
function linked(link) {
  return /^https?:/.test(link) ? {} : { target: "course-proof" };
}

export function button(words, press, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, words);
  made.addEventListener("click", press);
  return made;
}

// Scrolls to the beginning of a place, unless it is in view.
export function comeTo(place) {
  const { top } = place.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) place.scrollIntoView();
}

// “1 question” or “3 questions”
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

// A sum of scores with three digits at most: 7, 7.5, 7.33
export function score(attempts) {
  return String(Number(attempts.reduce((sum, one) => sum + one.score, 0).toPrecision(3)));
}
