// JSON that comes back as it was: Python tells 1.0 from 1, so what the browser only keeps for it must keep that, too.

import { floatRepr } from "./python.js";

const MARK = "\u0000#";
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/gs;

// A number whose text JavaScript would change.
class Exact {
  constructor(text) {
    this.text = text;
  }

  valueOf() {
    return Number(this.text);
  }
}

// The value of a text. SyntaxError if it is no JSON.
export function parse(text) {
  if (text.includes('"\\u0000#')) throw new SyntaxError("a sign that nobody writes");
  const marked = text.replace(TOKENS, (token) => {
    return token[0] === '"' || String(Number(token)) === token ? token : `"\\u0000#${token}"`;
  });
  JSON.parse(text); // what is no JSON is none with marks in it either, but the reverse does not hold
  return JSON.parse(marked, (_, value) => {
    return typeof value === "string" && value.startsWith(MARK) ? new Exact(value.slice(MARK.length)) : value;
  });
}

// The value as JSON, each number as it was.
export function text(value) {
  return written(value, { string: JSON.stringify, number: (token) => token, keys: Object.keys });
}

// As json.dumps(value, sort_keys=True, separators=(",", ":")) of Python writes it.
export function canonical(value) {
  return written(value, { string: ascii, number: asPython, keys: (entries) => Object.keys(entries).sort(byCodePoints) });
}

function written(value, how) {
  if (value instanceof Exact) return how.number(value.text);
  if (typeof value === "number") return how.number(String(value));
  if (typeof value === "string") return how.string(value);
  if (Array.isArray(value)) return `[${value.map((one) => written(one, how)).join(",")}]`;
  if (value === null || typeof value !== "object") return String(value);
  return `{${how
    .keys(value)
    .map((key) => `${how.string(key)}:${written(value[key], how)}`)
    .join(",")}}`;
}

function asPython(token) {
  if (/[.eE]/.test(token)) return floatRepr(Number(token));
  return token === "-0" ? "0" : token;
}

function ascii(value) {
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function byCodePoints(one, other) {
  const [left, right] = [[...one], [...other]];
  const place = left.findIndex((sign, index) => sign !== right[index]);
  if (place < 0) return left.length - right.length;
  return right[place] === undefined ? 1 : left[place].codePointAt(0) - right[place].codePointAt(0);
}
