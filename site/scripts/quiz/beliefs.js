// The beliefs that wrong answers name, as coach/beliefs.py finds them. Nothing is kept: they follow from the answers.

import { BadAnswer, grade } from "./grading.js";

const SETTLED = 2; // right answers, since a belief showed last, after which it counts as given up

// The beliefs that are not settled, the firmest first: named often, and not answered right since. All items must be loaded.
export function held(data, attempts) {
  const [times, since] = [new Map(), new Map()];
  for (const attempt of attempts) {
    const item = data.items.get(attempt.item);
    if (!item) continue;
    if (attempt.score === 1) {
      for (const belief of tempting(item)) if (times.has(belief)) since.set(belief, since.get(belief) + 1);
      continue;
    }
    for (const belief of named(item, attempt.answer)) {
      const before = times.get(belief) ?? 0;
      times.delete(belief); // the latest stands last
      times.set(belief, before + 1);
      since.set(belief, 0);
    }
  }
  const found = [...times].reverse().map(([belief, count]) => ({ belief, times: count, since: since.get(belief) }));
  return found.filter((one) => one.since < SETTLED).sort((one, other) => one.since - one.times - (other.since - other.times));
}

// What someone who holds it says, and what is true, which is empty where the explanation of a question alone says it.
export function inWords(data, belief) {
  return data.misconceptions.get(belief) ?? { claim: belief, correction: "" };
}

// The questions of an interview on which a belief leads astray, in the order of the bank.
export function questionsOn(data, belief) {
  const items = data.served().map(({ id }) => data.items.get(id));
  return items.filter((item) => tempting(item).has(belief));
}

// The beliefs that an answer names. None for an answer that the item of today cannot have.
function named(item, answer) {
  const byReply = new Map(
    parts(item)
      .filter(({ belief }) => belief)
      .map(({ reply, belief }) => [reply, belief]),
  );
  try {
    return grade(item, answer)
      .replies.filter((reply) => byReply.has(reply))
      .map((reply) => byReply.get(reply));
  } catch (error) {
    if (!(error instanceof BadAnswer)) throw error;
    return []; // the question has been changed since
  }
}

function tempting(item) {
  return new Set(
    parts(item)
      .map(({ belief }) => belief)
      .filter(Boolean),
  );
}

function parts(item) {
  return [...(item.options ?? []), ...(item.slips ?? [])];
}
