// What was answered, in the browser's localStorage. Each record has a key of its own and is never changed, so several pages of
// the course do not overwrite one another, and an answer is kept before its feedback is shown.
//
//     attempt, answer (of copies without keys), grading    under the time, and a sign that no other page gives
//     session, ended, event                                under a number
//     hint                                                 under the problem
//
// The records have the fields of the file that `python -m coach export` writes (coach/transfer/file.py).

import { parse, text } from "./exact.js";

const PREFIX = "finetuning-course.";
const OURS = `${PREFIX}quiz.`;
const ASIDE = `${PREFIX}damaged.`;
const TIMED = ["attempt", "answer", "grading"];

export const REFUSED = "This browser keeps nothing for this page, so your answers are forgotten when you leave it.";

// localStorage, or where the browser refuses it something that forgets.
export function storage() {
  try {
    const found = window.localStorage;
    found.setItem(`${PREFIX}try`, "1");
    found.removeItem(`${PREFIX}try`);
    return { found, note: "" };
  } catch {
    return { found: new Forgetful(), note: REFUSED };
  }
}

class Forgetful {
  kept = new Map();

  get length() {
    return this.kept.size;
  }

  key(place) {
    return [...this.kept.keys()][place];
  }

  getItem(key) {
    return this.kept.get(key) ?? null;
  }

  setItem(key, value) {
    this.kept.set(key, value);
  }

  removeItem(key) {
    this.kept.delete(key);
  }
}

export class Store {
  // now: a function that gives the time in milliseconds. `note` tells what was found damaged, or that nothing is kept.
  constructor({ found, note }, now) {
    [this.kept, this.note, this.now] = [found, note, now];
    this.read = new Map(); // what was read, by key: a record never changes
    this.unkept = []; // answers that the browser refused
    this.last = 0; // the number that was given last
    this.page = Math.random().toString(36).slice(2, 10); // of this page alone
  }

  // --- attempts ---

  // Keeps one answer. Throws an Error with a sentence if the browser refuses; then it counts as long as the page is open.
  add(item, score, answer, session = null) {
    const given = { item: item.id, topic: item.topic, score, answer, at: moment(this.now()), session };
    try {
      this.put("attempt", given);
    } catch (error) {
      this.unkept.push(given);
      throw error;
    }
  }

  // All attempts, or those of a session, the oldest first. Their time is in milliseconds.
  attempts(session = null) {
    const drills = new Set(
      this.all("session")
        .filter(({ plan }) => plan.drill)
        .map(({ number }) => number),
    );
    return [...this.all("attempt"), ...this.unkept]
      .filter((one) => session === null || one.session === session)
      .map((one) => ({ ...one, score: Number(one.score), at: Date.parse(one.at), drilled: drills.has(one.session) }));
  }

  // --- sessions ---

  // Notes that a session has begun, so that it can be gone on with. Returns its number.
  begin(plan) {
    const number = this.freshNumber();
    this.put("session", { number, plan, at: moment(this.now()) });
    return number;
  }

  // Notes that it was ended. If the browser refuses, it is offered once more, and that is all.
  end(number) {
    try {
      this.write(`ended.${number}`, "true");
    } catch (error) {
      this.note = `The end of this round was not recorded: ${error.message}.`;
    }
  }

  sessions() {
    return this.all("session").map((one) => ({ ...one, ended: this.kept.getItem(`${OURS}ended.${one.number}`) !== null }));
  }

  // The latest session that was not ended. Those of copies without keys are gone on with there.
  unfinished() {
    return (
      this.sessions()
        .filter((one) => !one.ended && (one.plan.table ?? "attempts") === "attempts")
        .at(-1) ?? null
    );
  }

  // --- records ---

  // All records of a kind, in their order. What cannot be read is set aside, and `note` says so.
  all(kind) {
    const found = this.keys(`${OURS}${kind}.`).flatMap((key) => {
      const record = this.record(kind, key);
      return record ? [[key, record]] : [];
    });
    const number = ([, record]) => record.number ?? Date.parse(record.at);
    return found.sort((one, other) => number(one) - number(other) || (one[0] < other[0] ? -1 : 1)).map(([, record]) => record);
  }

  // Keeps a record under a key of its own.
  put(kind, record) {
    this.write(`${kind}.${TIMED.includes(kind) ? this.sign() : record.number}`, text(record));
  }

  write(key, value) {
    try {
      this.kept.setItem(OURS + key, value);
    } catch (error) {
      throw new Error(`the browser refuses to keep it (${error.name})`);
    }
  }

  hints() {
    const found = this.keys(`${OURS}hint.`).map((key) => [key.slice(`${OURS}hint.`.length), this.record("hint", key)]);
    return Object.fromEntries(found.filter(([, told]) => told));
  }

  keys(prefix) {
    const all = Array.from({ length: this.kept.length }, (_, place) => this.kept.key(place));
    return all.filter((key) => key?.startsWith(prefix)).sort();
  }

  record(kind, key) {
    const value = this.kept.getItem(key);
    if (this.read.get(key)?.value !== value) this.read.set(key, { value, record: this.understood(kind, key, value) });
    return this.read.get(key).record;
  }

  understood(kind, key, value) {
    try {
      const record = parse(value);
      if (FORMS[kind](record)) return record;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    this.note = `Some of what this browser had kept is damaged. It is set aside, under keys that begin with ${ASIDE}`;
    try {
      this.kept.setItem(`${ASIDE}${key.slice(PREFIX.length)}.${Date.now()}`, value);
      this.kept.removeItem(key);
    } catch {
      this.note =
        "Some of what this browser had kept is damaged, and there is no room to set it aside. It is left where it is.";
    }
    return null;
  }

  // A number that is not taken, larger than those before it.
  freshNumber() {
    this.last = Math.max(Date.now() * 1000 + Math.floor(Math.random() * 1000), this.last + 1);
    while (["session", "event"].some((kind) => this.kept.getItem(`${OURS}${kind}.${this.last}`) !== null)) this.last += 1;
    return this.last;
  }

  // A text that no other page gives, and that sorts after those before it.
  sign() {
    return `${String(this.freshNumber()).padStart(17, "0")}.${this.page}`;
  }
}

// A time as Python writes it in ISO 8601.
export function moment(at) {
  return new Date(at).toISOString().replace(/\.(\d{3})Z$/, (_, digits) => `${digits === "000" ? "" : `.${digits}000`}+00:00`);
}

// --- the forms of records, as coach/transfer/file.py has them ---

const isName = (value) => typeof value === "string" && value.length > 0 && value.length <= 200;
const isTable = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isCount = (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 31;
const isNumber = (value) => Number.isSafeInteger(value) && value >= 1;
const isMoment = (value) =>
  typeof value === "string" && /^(20|21)\d\d-\d\d-\d\dT.+([+-]\d\d:\d\d|Z)$/.test(value) && !Number.isNaN(Date.parse(value));

function has(record, names) {
  return isTable(record) && Object.keys(record).sort().join() === [...names].sort().join();
}

function isAnswered(record) {
  const fields = has(record, ["item", "topic", "score", "answer", "at", "session"]);
  return (
    fields &&
    isName(record.item) &&
    isName(record.topic) &&
    isMoment(record.at) &&
    (record.session === null || isNumber(record.session))
  );
}

export const FORMS = {
  attempt: (record) => isAnswered(record) && record.score !== null && Number(record.score) >= 0 && Number(record.score) <= 1,
  answer: (record) => isAnswered(record) && record.score === null,
  session: (record) => {
    if (!has(record, ["number", "plan", "at"]) || !isNumber(record.number) || !isTable(record.plan) || !isMoment(record.at))
      return false;
    const { items, seed, exam } = record.plan;
    return (
      Array.isArray(items) &&
      items.every((item) => typeof item === "string") &&
      Number.isInteger(Number(seed)) &&
      typeof exam === "boolean"
    );
  },
  event: (record) =>
    has(record, ["number", "kind", "content", "at"]) &&
    isNumber(record.number) &&
    isName(record.kind) &&
    isTable(record.content) &&
    isMoment(record.at),
  grading: (record) =>
    has(record, ["at", "problem", "stubs", "mistakes"]) &&
    isMoment(record.at) &&
    isName(record.problem) &&
    isTable(record.stubs) &&
    isTable(record.mistakes) &&
    Object.values(record.stubs).every((points) => Array.isArray(points) && points.length === 2 && points.every(isCount)) &&
    Object.values(record.mistakes).every((names) => Array.isArray(names) && names.every(isName)),
  hint: (told) => Array.isArray(told) && told.length === 2 && typeof told[0] === "string" && isCount(told[1]) && told[1] <= 3,
};
