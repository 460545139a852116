// The file that holds all of one's data: what `python -m coach export` and `import` write and read (coach/transfer).
// What the browser does not use (steps with the coach, gradings, hints) it keeps, and gives back.

import { canonical, parse, text } from "./exact.js";
import { FORMS } from "./store.js";

const [KIND, FORMAT] = ["finetuning-course", 1];
const LISTS = { attempts: "attempt", answers: "answer", sessions: "session", events: "event", gradings: "grading" };
const NAMES = {
  attempts: "answers",
  answers: "answers of copies without keys",
  sessions: "rounds of questions",
  events: "steps with the coach",
  gradings: "gradings",
};
const NOT_OURS = "is not a file that this page or python -m coach export wrote";
const NO_DIGEST = "A page that came over http may not compute a digest. Open the course over https, or from a folder.";

// Counts in words: “3 answers, 1 gradings”. Empty if all are none.
export function inWords(counts) {
  return Object.entries(NAMES)
    .filter(([name]) => counts[name])
    .map(([name, words]) => `${counts[name]} ${words}`)
    .join(", ");
}

// --- writing ---

// The content of the file, and how many of each it holds. Number by number it names sessions and events as Python does.
export async function exported(store) {
  const data = { ...held(store), hints: store.hints() };
  const whole = { kind: KIND, format: FORMAT, digest: await digest(data), data };
  return {
    content: `${text(whole)}\n`,
    counts: Object.fromEntries(Object.keys(LISTS).map((name) => [name, data[name].length])),
  };
}

function held(store) {
  const lists = Object.entries(LISTS).map(([name, kind]) => [name, kind === "session" ? store.sessions() : store.all(kind)]);
  return Object.fromEntries(lists);
}

async function digest(data) {
  if (!window.crypto?.subtle) throw new Error(NO_DIGEST);
  const sum = await window.crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonical(data)));
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- reading ---

// The data of a file. An Error with a sentence if it is no such file, or a damaged one.
export async function read(name, content) {
  let told = null;
  try {
    told = parse(content);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    throw new Error(`${name} ${NOT_OURS}, or it was cut.`);
  }
  if (told?.kind !== KIND || told.data === null || typeof told.data !== "object") throw new Error(`${name} ${NOT_OURS}.`);
  if (told.format !== FORMAT) {
    throw new Error(
      `${name} has the format ${String(told.format).slice(0, 20)}, and this page reads ${FORMAT}. Load this page again.`,
    );
  }
  if (told.digest !== (await digest(told.data))) {
    throw new Error(`${name} was changed or cut after it was written. Export it once more.`);
  }
  const broken = fault(told.data);
  if (broken) throw new Error(`${name} holds what the course never writes (${broken}).`);
  return { attempts: [], answers: [], sessions: [], events: [], gradings: [], hints: {}, ...told.data };
}

// Where the data is not as it should be. Empty if it is.
function fault(data) {
  for (const [name, value] of Object.entries(data)) {
    if (name === "hints") {
      if (!Object.values(value ?? [0]).every(FORMS.hint)) return name;
      continue;
    }
    if (!(name in LISTS) || !Array.isArray(value)) return name;
    const place = value.findIndex((record) => !isFit(LISTS[name], record));
    if (place >= 0) return `${name}, ${place}`;
  }
  const [sessions, events] = [data.sessions ?? [], data.events ?? []].map((list) => list.map(({ number }) => number));
  if (new Set(sessions).size < sessions.length || new Set(events).size < events.length)
    return "two of its parts have one number";
  const named = [...(data.attempts ?? []), ...(data.answers ?? [])].map(({ session }) => session);
  return named.every((session) => session === null || sessions.includes(session))
    ? ""
    : "an answer names a session that is not there";
}

function isFit(kind, record) {
  if (kind !== "session") return FORMS[kind](record);
  const { ended, ...rest } = record ?? {};
  return typeof ended === "boolean" && FORMS.session(rest);
}

// --- taking in ---

// Adds what is new, and returns how many of each that was. What is here keeps its numbers, what is new gets numbers of its own.
export function takeIn(store, data) {
  const before = held(store);
  const added = { attempts: 0, answers: 0, sessions: 0, events: 0, gradings: 0 };
  const add = (name, record) => {
    store.put(LISTS[name], record);
    added[name] += 1;
  };
  const sessions = takeSessions(store, data.sessions, before.sessions, add);
  takeEvents(store, data.events, before.events, sessions, add);
  for (const name of ["attempts", "answers"]) {
    const rows = data[name].map((row) => ({ ...row, session: sessions.get(row.session) ?? null }));
    for (const row of unknown(rows, before[name], answered)) add(name, row);
  }
  for (const row of unknown(data.gradings, before.gradings, canonical)) add("gradings", row);
  const hints = store.hints();
  for (const [problem, told] of Object.entries(data.hints)) {
    if (!(problem in hints)) store.write(`hint.${problem}`, text(told));
  }
  return added;
}

// The same answer at the same moment stands here once for each time it was given.
function unknown(rows, there, key) {
  const counts = new Map();
  for (const row of there) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1);
  return rows.filter((row) => {
    const left = counts.get(key(row)) ?? 0;
    counts.set(key(row), left - 1);
    return left <= 0;
  });
}

function answered(row) {
  return canonical({ ...row, score: row.score === null ? null : Number(row.score) });
}

function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return groups;
}

function takeSessions(store, sessions, before, add) {
  const numbers = new Map();
  const key = ({ plan, at }) => canonical({ plan, at });
  const there = grouped(before, key);
  for (const { ended, ...one } of sessions) {
    const same = there.get(key(one))?.shift();
    const number = same?.number ?? store.freshNumber();
    numbers.set(one.number, number);
    if (!same) add("sessions", { ...one, number });
    if (ended && !same?.ended) store.end(number);
  }
  return numbers;
}

function takeEvents(store, events, before, sessions, add) {
  const numbers = new Map();
  const places = { session: sessions, round: numbers, exercise: numbers };
  const key = ({ kind, content, at }) => canonical({ kind, content, at });
  const there = grouped(before, key);
  for (const one of [...events].sort((a, b) => a.number - b.number)) {
    const content = { ...one.content };
    for (const [name, byNumber] of Object.entries(places)) content[name] = byNumber.get(content[name]) ?? content[name];
    for (const name of Object.keys(places)) if (!(name in one.content)) delete content[name];
    const moved = { ...one, content };
    const same = there.get(key(moved))?.shift();
    const number = same?.number ?? store.freshNumber();
    numbers.set(one.number, number);
    if (!same) add("events", { ...moved, number });
  }
}
