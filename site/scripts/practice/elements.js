// What the drawing is made of, beside that of the quiz.

import { make } from "../../../quiz/question.js";

export function button(words, act, css = "") {
  const element = make("button", { type: "button", class: css }, words);
  element.addEventListener("click", act);
  return element;
}

// A line of code. The text is HTML, which the build has made of Python: see web/faults.py.
export function coloured(html, attributes = {}) {
  const element = make("code", attributes);
  element.innerHTML = html;
  return element;
}
