// Grading: one answer against one item, as quiz/grading.py does it, which says what each kind takes and what it is worth.
// A table of cases is run against both in the tests.

import { D, S, first, float, floatRepr, fourDigits, repr, strip, thousands, words } from "./python.js";

// The answer cannot be graded. The message says what was expected.
export class BadAnswer extends Error {}

// What an answer is worth, from 0 to 1, and what it reveals. BadAnswer if it is not of the form that the kind needs.
export function grade(item, answer) {
  const { score, replies } = GRADERS[item.kind](item, answer);
  const verdict = score === 1 ? "right" : score ? "partly right" : "not right";
  return { score, replies, verdict, right: score === 1, key: keyOf(item) };
}

// The right answer in words.
export function keyOf(item) {
  switch (item.kind) {
    case "single":
    case "multiple":
      return item.options
        .filter((option) => option.right)
        .map((option) => option.text)
        .join("; ");
    case "numeric":
      return `${readable(item.value)} ${item.unit}`;
    case "prints":
      return item.output;
    case "ordering":
      return item.steps.map((step, place) => `${place + 1}. ${step}`).join("; ");
    case "matching":
      return item.pairs.map(([left, right]) => `${left}: ${right}`).join("; ");
    default:
      return item.rubric.join("; ");
  }
}

// Four digits, and thousands apart.
export function readable(value) {
  return Math.abs(value) >= 1000 ? thousands(value) : fourDigits(value);
}

// --- one grader a kind ---

const GRADERS = { single, multiple, numeric, prints, ordering, matching, open };

function single(item, answer) {
  const chosen = item.options[index(answer, item.options.length)];
  return { score: chosen.right ? 1 : 0, replies: repliesOf([chosen]) };
}

function multiple(item, answer) {
  const chosen = indices(answer, item.options.length).map((place) => item.options[place]);
  const right = item.options.filter((option) => option.right).length;
  const hits = chosen.filter((option) => option.right).length;
  const score = Math.max(0, (hits - (chosen.length - hits)) / right);
  const missed = hits < right ? [`${right - hits} of ${right} right options were not chosen.`] : [];
  return { score, replies: [...repliesOf(chosen), ...missed] };
}

function numeric(item, answer) {
  const understood = readings(answer, item.unit);
  for (const [value, words] of understood) {
    const said = words ? [words] : [];
    for (const slip of item.slips) {
      if (close(value, slip.value, item.tolerance)) return { score: 0, replies: [slip.reply, ...said] };
    }
    if (close(value, item.value, item.tolerance)) return { score: 1, replies: said };
  }
  const [[value]] = understood;
  const read = `The unit is ${item.unit}; your answer was read as ${readable(value)}.`;
  for (const [power, name] of FACTORS) {
    if (close(value, item.value * power, item.tolerance)) {
      return { score: 0, replies: [`The digits are right; the answer is off by a factor of ${name}. ${read}`] };
    }
  }
  return { score: 0, replies: [read] };
}

function prints(item, answer) {
  if (typeof answer !== "string" || !strip(answer)) throw new BadAnswer("type what the code prints");
  const [said, output] = [printed(answer), printed(item.output)];
  for (const slip of item.slips) {
    if (said === printed(slip.text)) return { score: 0, replies: [slip.reply] };
  }
  if (said !== output && values(said) === values(output)) {
    return { score: 0, replies: [`The values are right, their form is not: Python prints ${item.output}.`] };
  }
  return { score: said === output ? 1 : 0, replies: [] };
}

function ordering(item, answer) {
  const order = indices(answer, item.steps.length);
  if (order.length !== item.steps.length) throw new BadAnswer(`name each of the ${item.steps.length} steps once`);
  let [right, pairs] = [0, 0];
  for (let later = 1; later < order.length; later += 1) {
    for (let earlier = 0; earlier < later; earlier += 1) {
      right += order[earlier] < order[later] ? 1 : 0;
      pairs += 1;
    }
  }
  const displaced = order.find((step, place) => step !== place);
  const replies = displaced === undefined ? [] : [`“${item.steps[displaced]}” is the first step out of place.`];
  return { score: Math.max(0, 2 * (right / pairs) - 1), replies };
}

function matching(item, answer) {
  const count = item.pairs.length;
  if (list(answer).length !== count) throw new BadAnswer(`name one partner for each of the ${count} on the left`);
  const partners = answer.map((partner) => index(partner, count));
  const wrong = item.pairs.filter((_, left) => partners[left] !== left);
  return { score: 1 - wrong.length / count, replies: wrong.map(([left, right]) => `${left}: ${right}.`) };
}

function open(item, answer) {
  const marked = new Set(indices(answer, item.rubric.length));
  const replies = item.rubric.filter((_, place) => !marked.has(place)).map((point) => `Not said: ${point}.`);
  return { score: marked.size / item.rubric.length, replies };
}

// --- reading answers ---

const FACTORS = [
  [1e3, "1,000"],
  [1e6, "a million"],
  [100, "100"],
].flatMap(([power, name]) => [
  [power, name],
  [1 / power, name],
]);
const MULTIPLES = new Map(
  Object.entries({
    "": 1,
    k: 1e3,
    thousand: 1e3,
    m: 1e6,
    million: 1e6,
    b: 1e9,
    bn: 1e9,
    billion: 1e9,
    trillion: 1e12,
  }),
);
const BYTES = new Map(
  Object.entries({
    b: 1,
    bytes: 1,
    kb: 1e3,
    mb: 1e6,
    gb: 1e9,
    tb: 1e12,
    kib: 2 ** 10,
    mib: 2 ** 20,
    gib: 2 ** 30,
    tib: 2 ** 40,
  }),
);
const NUMBER = `[-+]?(?:${D}+\\.?${D}*|\\.${D}+)(?:e[-+]?${D}+)?`;
const THOUSANDS = new RegExp(`(?<=${D})[,_ '](?=${D}{3}(?!${D}))`, "gu");
const COMMA = new RegExp(`${D},${D}`, "u");
const WHOLE = new RegExp(`^(${NUMBER})(?:${S}*/${S}*(${NUMBER}))?${S}*(.*)$`, "u");
const BARE = new RegExp(`^(?:[~≈=]|${S})*${NUMBER}${S}*$`, "u");
const BESIDE = new RegExp(`${S}*([,()\\[\\]{}])${S}*`, "gu");
const NUMBERS = new RegExp(NUMBER, "gu");

// Reads a number in the item's unit. Decimal point; commas and blanks may part thousands. A fraction alone is a share.
export function number(answer, unit) {
  if (typeof answer === "boolean" || answer === null || answer === undefined) throw new BadAnswer("type a number");
  if (typeof answer === "number") {
    if (!Number.isFinite(answer)) throw new BadAnswer("type a finite number");
    return answer;
  }
  const given = typeof answer === "string" ? answer : repr(answer);
  const text = squeezed(given)
    .toLowerCase()
    .replace(/^[~≈= ]+/, "")
    .replace(THOUSANDS, "");
  if (COMMA.test(text)) {
    throw new BadAnswer(`${repr(answer)} has a comma: write decimals with a point, and thousands as 1,000`);
  }
  const found = WHOLE.exec(text);
  if (!found) {
    throw new BadAnswer(`${repr(first(given, 40))} is not a number; for example 61.5, 12 %, 3/8, 4.4 million or 2e-3`);
  }
  let value = float(found[1]);
  if (found[2]) {
    if (!float(found[2])) throw new BadAnswer("a division by zero has no value");
    value /= float(found[2]);
  }
  const suffix = strip(found[3]);
  const isShare = found[2] && !suffix && unit === "%";
  value *= isShare ? 100 : multipleOf(suffix, unit);
  if (!Number.isFinite(value)) throw new BadAnswer("type a finite number");
  return value;
}

// What a number can mean, the likeliest first, each with a sentence if it was not typed in the item's unit.
function readings(answer, unit) {
  const value = number(answer, unit);
  if (unit !== "%" && !unit.startsWith("share")) return [[value, ""]];
  const [text, sign] = [typeof answer === "number" ? floatRepr(answer) : String(answer), unit === "%" ? " %" : ""];
  const inUnit = !text.includes("/") && (unit === "%" || !/%|per ?cent/iu.test(text));
  const found = [[value, inUnit ? "" : `Your answer was read as ${readable(value)}${sign}.`]];
  const bare = BARE.test(text);
  if (bare && unit === "%" && value > 0 && value <= 1) {
    found.push([100 * value, `Your answer was read as the share ${readable(value)}, which is ${readable(100 * value)} %.`]);
  }
  if (bare && unit !== "%" && value > 1 && value <= 100) {
    found.push([value / 100, `Your answer was read as ${readable(value)} %, which is ${readable(value / 100)}.`]);
  }
  return found;
}

// What the words behind a number multiply it by, to be in the unit of the item.
function multipleOf(suffix, unit) {
  const own = unit.toLowerCase();
  if (!suffix || names(suffix, own)) return 1;
  if (BYTES.has(own) && BYTES.has(suffix)) return BYTES.get(suffix) / BYTES.get(own);
  if (["%", "percent", "per cent"].includes(suffix)) {
    if (own === "%") return 1;
    if (/^(share|factor|times)/.test(own)) return 0.01;
  }
  const [head, ...tail] = suffix.split(" ");
  const rest = tail.join(" ");
  if (MULTIPLES.has(head) && !BYTES.has(own) && (!rest || names(rest, own))) return MULTIPLES.get(head);
  if (["x", "×", "times", "-fold", "fold"].includes(suffix) && /^(factor|times)/.test(own)) return 1;
  throw new BadAnswer(`the unit ${repr(suffix)} does not fit: the unit is: ${unit}`);
}

// Whether these words are the unit, or how it begins: “parameter” for parameters, “nats” for nats per token.
function names(said, unit) {
  return said === unit || said === unit.replace(/s+$/, "") || unit.startsWith(`${said} `);
}

function close(value, target, tolerance) {
  return Math.abs(value - target) <= tolerance * Math.abs(target);
}

// Blanks squeezed; typographic minus and quotes made plain.
function squeezed(text) {
  return words(text.replace(/[−–]/g, "-").replace(/[‘’]/g, "'")).join(" ");
}

// What was printed, without blanks beside commas and brackets, which nobody types as Python does.
function printed(text) {
  return squeezed(text).replace(BESIDE, "$1");
}

// The same with each number as a float: 40 and 40.0 have one value.
function values(text) {
  return text.replace(NUMBERS, (found) => floatRepr(float(found)));
}

function list(answer) {
  if (!Array.isArray(answer)) throw new BadAnswer("a list of indices is wanted");
  return answer;
}

function index(answer, count) {
  if (!Number.isInteger(answer) || answer < 0 || answer >= count) {
    throw new BadAnswer(`${repr(answer)} is none of the ${count} indices from 0 to ${count - 1}`);
  }
  return answer;
}

function indices(answer, count) {
  const chosen = list(answer).map((one) => index(one, count));
  if (new Set(chosen).size < chosen.length) throw new BadAnswer("an index stands there twice");
  return chosen;
}

function repliesOf(chosen) {
  return chosen.filter((option) => !option.right).map((option) => option.reply);
}
