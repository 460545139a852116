// Which questions are asked: a round, what is due, a drill. As quiz/terminal.py and coach/drill.py choose them.

import { held, questionsOn } from "./beliefs.js";
import { anySeed, shuffled } from "./random.js";
import { due } from "./schedule.js";

const TWICE = 2; // right answers after a miss
const ONCE = 1; // for an open question
const ENOUGH = 2 / 3; // of the key points of an open question, which is then called right
const BETWEEN = 2; // other questions before one comes again, where there are so many
const BELIEFS = 5; // questions on beliefs in one drill

// A round: those that were not answered come first. With a seed it depends on the seed alone.
export function plan(data, choice, attempts, { count = null, seed = null, exam = false } = {}) {
  const answered = new Set(seed === null ? attempts.map(({ item }) => item) : []);
  const sown = seed ?? anySeed();
  const found = shuffled(
    data.served(choice).map(({ id }) => id),
    sown.toString(),
  );
  const items = [...found.filter((id) => !answered.has(id)), ...found.filter((id) => answered.has(id))];
  return { items: items.slice(0, count ?? undefined), seed: sown, exam };
}

// What is said before the first question: how many there are, if all or more were asked for, or that none is new.
export function opening(planned, count, attempts) {
  const names = planned.items;
  const answered = new Set(attempts.map(({ item }) => item));
  const words = [];
  if (count === null || names.length < count) {
    words.push(names.length === 1 ? "There is 1 question of this kind." : `There are ${names.length} questions of this kind.`);
  }
  if (names.every((id) => answered.has(id))) {
    words.push(names.length === 1 ? "You have answered it before." : "You have answered all of them before.");
  }
  return words.join(" ");
}

// The items that are due, the longest overdue first. Items that are gone from the bank are left out.
export function reviewPlan(data, attempts, at) {
  return { items: due(attempts, at).filter((id) => data.listed.has(id)), seed: anySeed(), exam: false };
}

// --- the drill ---

// Which questions a drill has: those that were missed, then those on beliefs. All items must be loaded.
//
// Returns items, the ids in the order in which they are asked first, and beliefs, by id that on which a question is asked.
export function drillPlan(data, attempts, topic = null, seed = anySeed()) {
  const served = new Map(data.served({ topic }).map(({ id }) => [id, data.items.get(id)]));
  const history = byItem(attempts);
  const missed = [...history.keys()].filter((id) => served.has(id) && stillToBeRight(served.get(id), history.get(id)));
  const beliefs = Object.fromEntries(Object.entries(onBeliefs(data, attempts, served, missed)).slice(0, BELIEFS));
  const items = [...missed, ...Object.keys(beliefs)];
  if (items.length) {
    const near = new Set(items.map((id) => served.get(id).topic));
    const unanswered = shuffled(
      [...served.keys()].filter((id) => !history.has(id)),
      String(seed),
    );
    items.push(...unanswered.filter((id) => near.has(served.get(id).topic)).slice(0, Math.max(0, BETWEEN + 1 - items.length)));
  }
  return { items, beliefs, seed };
}

// The attempts by question. The question that was answered longest ago comes first.
export function byItem(attempts) {
  const history = new Map();
  for (const attempt of attempts) {
    const before = history.get(attempt.item) ?? [];
    history.delete(attempt.item);
    history.set(attempt.item, [...before, attempt]);
  }
  return history;
}

// Whether an answer needs no repetition.
export function isRight(item, score) {
  return score >= (item.kind === "open" ? ENOUGH : 1);
}

// How often a question must still be answered right. A right answer outside of a drill is enough.
export function stillToBeRight(item, history) {
  const miss = history.findLastIndex(({ score }) => !isRight(item, score));
  const since = history.slice(miss + 1);
  if (miss < 0 || !since.every(({ drilled }) => drilled)) return 0;
  return Math.max(0, (item.kind === "open" ? ONCE : TWICE) - since.length);
}

// For each belief that is held another question, the one that was answered least lately; the firmest belief first.
function onBeliefs(data, attempts, served, missed) {
  const order = new Map([...byItem(attempts).keys()].map((id, place) => [id, place]));
  const [found, taken] = [{}, new Set(missed)];
  for (const { belief } of held(data, attempts)) {
    const ids = questionsOn(data, belief)
      .map(({ id }) => id)
      .filter((id) => served.has(id) && !taken.has(id));
    if (!ids.length) continue;
    const least = ids.reduce((one, other) => ((order.get(other) ?? -1) < (order.get(one) ?? -1) ? other : one));
    found[least] = belief;
    taken.add(least);
  }
  return found;
}

// Which question comes next, or null, and how many answers are still to be right. The one asked longest ago comes first.
export function nextQuestion(data, drill, attempts) {
  const asked = attempts.filter(({ session }) => session === drill.session).map(({ item }) => item);
  const [history, latest] = [byItem(attempts), new Map(asked.map((id, place) => [id, place]))];
  const toGo = drill.items
    .filter((id) => data.items.has(id))
    .map((id) => {
      return [id, stillToBeRight(data.items.get(id), history.get(id) ?? []) || (latest.has(id) ? 0 : 1)];
    });
  const waiting = toGo.filter(([, times]) => times).map(([id]) => id);
  const next = waiting.length
    ? waiting.reduce((one, other) => ((latest.get(other) ?? -1) < (latest.get(one) ?? -1) ? other : one))
    : null;
  return { next, toGo: toGo.reduce((sum, [, times]) => sum + times, 0), number: asked.length + 1 };
}
