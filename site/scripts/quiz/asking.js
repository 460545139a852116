// How an item is put to a person, and how what they chose or typed becomes an answer: quiz/asking.py in the browser.
// Its words, and those of the notebook's widget, come with the data (courseQuiz.words).

import { LETTERS } from "../../../quiz/question.js";
import { BadAnswer, grade } from "./grading.js";
import { S, first, repr, round, strip } from "./python.js";
import { shuffled } from "./random.js";

const TOKENS = new RegExp(`(?:${S}|[,;.)])+`, "u");

// The item with its choices shuffled by the seed. Steps and partners are not shown in their right order.
export function question(item, seed = 0) {
  const places = choicesOf(item).map((_, place) => place);
  let order = shuffled(places, `${seed} ${item.id}`);
  if (["ordering", "matching"].includes(item.kind) && order.every((index, place) => index === place)) {
    order = [...order.slice(1), order[0]];
  }
  return shown(item, order);
}

// The item with its choices in this order.
export function shown(item, order) {
  const choices = choicesOf(item);
  return { item, order, choices: order.map((index) => choices[index]), left: (item.pairs ?? []).map(([left]) => left) };
}

function choicesOf(item) {
  return item.options?.map((option) => option.text) ?? item.steps ?? item.pairs?.map(([, right]) => right) ?? [];
}

// What to type, as the terminal says it.
export function how(item, words) {
  const said = item.unit === "%" ? words.percent : words.typed[item.kind].replace("{unit}", item.unit ?? "");
  return item.rubric ? `${said} ${words.compare}` : said;
}

// What to do in a page, where most is chosen and not typed.
export function howHere(item, words) {
  return words.here[item.kind] ?? how(item, words);
}

// What was chosen or typed, as an answer for `grade`. BadAnswer says what was expected.
export function understand(asked, typed, words) {
  const { item, order } = asked;
  const text = strip(typed);
  if (!text) throw new BadAnswer(`Nothing was typed. ${how(item, words)}`);
  if (["numeric", "prints", "open"].includes(item.kind)) return text;
  const places = tokens(text).map((token) => place(token, asked.choices.length));
  if (item.kind === "single") {
    if (places.length !== 1) throw new BadAnswer("One letter is wanted.");
    return order[places[0]];
  }
  const chosen = places.map((one) => order[one]);
  const isEach = new Set(chosen).size === chosen.length;
  if (item.kind === "multiple" && !isEach) throw new BadAnswer("A letter stands there twice.");
  if (["ordering", "matching"].includes(item.kind) && !(isEach && chosen.length === order.length)) {
    throw new BadAnswer(`Each of the ${order.length} letters is wanted once.`);
  }
  return chosen;
}

// The key points of an open answer that the learner marks, by letter. “0” stands for none.
export function marks(asked, typed) {
  if (["", "0", "-"].includes(strip(typed))) return [];
  const chosen = tokens(typed).map((token) => place(token, asked.item.rubric.length));
  return [...new Set(chosen)].sort((one, other) => one - other);
}

// “a c”, “a,c”, “ac” and “1 3” are all lists of two.
function tokens(text) {
  const found = text
    .toLowerCase()
    .replace(/^[ ,;.)]+|[ ,;.)]+$/g, "")
    .split(TOKENS);
  return found.length === 1 && /^\p{L}+$/u.test(found[0]) ? [...found[0]] : found;
}

function place(token, count) {
  const letter = [...token].length === 1 ? LETTERS.slice(0, count).indexOf(token) : -1;
  if (letter >= 0) return letter;
  const number = /^[0-9]+$/.test(token) ? Number(token.slice(0, 9)) : 0;
  if (number >= 1 && number <= count) return number - 1;
  throw new BadAnswer(`${repr(first(token, 20))} is none of the letters a to ${LETTERS[count - 1]}.`);
}

// --- in a page ---

// The question as quiz/question.js draws it.
export function drawn(asked, heading, data) {
  const { item } = asked;
  return {
    kind: item.kind,
    heading: `${heading}. ${sort(item, data)}.`,
    stem: item.stem,
    code: item.code.replace(/^\n+|\n+$/g, ""),
    how: howHere(item, data.words),
    button: item.rubric ? "Compare with the key points" : "Check",
    unit: item.unit ?? "",
    choices: asked.choices,
    left: asked.left,
  };
}

// Topic and level, as they stand above the question.
function sort(item, data) {
  return `${data.topics[item.topic].title}, ${item.level}${item.about === "article" ? ", about the article" : ""}`;
}

// What was said, graded: `problem` (a sentence), `points` (the key points, to be marked), or `answer` and `result`.
export function judged(asked, said, words) {
  try {
    let answer = understoodHere(asked, said.answer, words);
    if (asked.item.rubric) {
      if (said.marks === null) return { points: asked.item.rubric };
      answer = marks(asked, said.marks);
    }
    return { answer, result: grade(asked.item, answer) };
  } catch (error) {
    if (!(error instanceof BadAnswer)) throw error;
    const sentence = error.message.replace(/\.+$/, "");
    return { problem: `${sentence.slice(0, 1).toUpperCase()}${sentence.slice(1)}.` };
  }
}

function understoodHere(asked, typed, words) {
  try {
    return understand(asked, typed, words);
  } catch (error) {
    if (!(error instanceof BadAnswer) || !(asked.item.kind in words.here)) throw error;
    throw new BadAnswer(`This cannot be graded yet. ${howHere(asked.item, words)}`);
  }
}

// The feedback, as quiz/question.js draws it.
export function feedback(asked, result, data) {
  const key = result.right || asked.item.kind === "open" ? [] : [`Answer: ${result.key}`];
  return {
    verdict: result.verdict,
    sign: data.words.signs[result.verdict],
    lines: [verdict(result), ...result.replies, ...key, asked.item.explanation],
    proof: { places: asked.item.places.map(([title, link]) => ({ title, link: address(link, data.root) })) },
  };
}

// Where a place of the course is from this page.
export function address(link, root) {
  return /^https?:/.test(link) ? link : root + link;
}

// An answer in words, row by row. Pages show no letters.
export function inWords(asked, answer) {
  const { item, order } = asked;
  switch (item.kind) {
    case "single":
      return [item.options[answer].text];
    case "multiple":
      return order.filter((index) => answer.includes(index)).map((index) => item.options[index].text);
    case "ordering":
      return answer.map((index, place) => `${place + 1}. ${item.steps[index]}`);
    case "matching":
      return answer.map((index, left) => `${asked.left[left]}: ${item.pairs[index][1]}`);
    case "open":
      return [`${answer.length} of ${item.rubric.length} key points`];
    default:
      return [String(answer)];
  }
}

// The verdict as a sentence, with the share of a partly right answer.
export function verdict({ verdict, score }) {
  const share = score > 0 && score < 1 ? ` (${round(score * 100)}%)` : "";
  return `${verdict[0].toUpperCase()}${verdict.slice(1)}${share}.`;
}
