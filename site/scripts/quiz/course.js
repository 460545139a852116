// What a place of the quiz is filled with: the bank, what was answered, and the clock.

import { make } from "../../../quiz/question.js";
import { Data } from "./data.js";
import { Store, storage } from "./store.js";

export function course() {
  const now = clock();
  return { data: new Data(window.courseQuiz), store: new Store(storage(), now), now };
}

// The clock in milliseconds. ?now=2026-11-27T09:00Z sets it, for rehearsals.
function clock() {
  const given = new URLSearchParams(location.search).get("now");
  const set = given === null ? NaN : Date.parse(given);
  return Number.isNaN(set) ? Date.now : () => set;
}

// Fills the places that a selector finds. What goes wrong is told in the place.
export async function fill(selector, how) {
  for (const place of document.querySelectorAll(selector)) {
    place.classList.add("quiz");
    try {
      await how(place);
    } catch (error) {
      place.replaceChildren(make("p", { role: "alert" }, error.message));
      throw error;
    }
  }
}
