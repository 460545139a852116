// The quiz on a page of a topic, as quiz.show() asks in a notebook: its questions one by one, each as often as one likes.

import { make } from "../../../quiz/question.js";
import { question } from "./asking.js";
import { button, pose } from "./pose.js";
import { shuffled } from "./random.js";

const SEED = 0;

// place: an element with data-topic, data-level, data-count and data-article, each of which may be missing.
export async function block(course, place) {
  const { data, store } = course;
  const { topic = null, level = null, count, article } = place.dataset;
  const isAboutArticle = article !== undefined && article !== "false";
  const served = data.served({ topic: topic || null, level: level || null, about: isAboutArticle ? "article" : "interview" });
  const ids = shuffled(
    served.map(({ id }) => id),
    String(SEED),
  ).slice(0, Number(count) || undefined);
  await data.load(ids);
  let at = 0;
  const progress = make("p", { class: "dim" });
  const back = button("Previous question", () => show(at - 1));
  const on = button("Next question", () => show(at + 1));
  const body = make("div");
  place.replaceChildren(...notes(store), body, make("p", { class: "buttons" }, back, on), progress);
  show(0, false);

  function show(number, isMove = true) {
    at = number;
    const asked = question(data.items.get(ids[at]), SEED);
    const asks = pose(course, asked, { heading: `Question ${at + 1} of ${ids.length}`, answered: tell });
    body.replaceChildren(asks.form);
    back.disabled = at === 0;
    on.disabled = at === ids.length - 1;
    tell();
    if (isMove) asks.focus();
  }

  function tell() {
    const last = new Map(store.attempts().map((one) => [one.item, one.score]));
    const scores = ids.filter((id) => last.has(id)).map((id) => last.get(id));
    progress.replaceChildren(
      `Answered ${scores.length} of ${ids.length}, ${scores.filter((one) => one === 1).length} right at the last attempt. `,
      make("a", { href: `${data.root}quiz.html` }, "All of the quiz"),
      ": rounds, what is due, drill, progress.",
    );
  }
}

// What the person should know about what is kept.
export function notes(store) {
  store.attempts(); // what is damaged is found by reading
  return store.note ? [make("p", { role: "status", class: "note" }, store.note)] : [];
}
