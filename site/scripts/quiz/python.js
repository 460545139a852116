// What Python does with text and numbers, where JavaScript does something else. Grading here says what Python says.

const BLANK = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
// What Python's \s and \d stand for in a pattern.
export const S = `[${BLANK}]`;
export const D = "\\p{Nd}";
const ENDS = new RegExp(`^${S}+|${S}+$`, "gu");
const BLANKS = new RegExp(`${S}+`, "u");
const QUOTED = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

export function strip(text) {
  return text.replace(ENDS, "");
}

export function words(text) {
  return strip(text).split(BLANKS).filter(Boolean);
}

// The first signs of a text, where a sign outside of the basic plane is one.
export function first(text, count) {
  return [...text].slice(0, count).join("");
}

export function repr(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  if (typeof value === "string") return quoted(value);
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([key, one]) => `${repr(key)}: ${repr(one)}`)
      .join(", ")}}`;
  }
  return Number.isInteger(value) ? String(value) : floatRepr(value);
}

function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const signs = [...text].map((sign) => {
    if (sign === quote) return `\\${sign}`;
    return QUOTED[sign] ?? (sign !== " " && /[\p{C}\p{Z}]/u.test(sign) ? escaped(sign) : sign);
  });
  return quote + signs.join("") + quote;
}

function escaped(sign) {
  const hex = sign.codePointAt(0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

// A float as Python's repr and json write it: the shortest digits that give it back.
export function floatRepr(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, power] = value
    .toExponential()
    .split("e")
    .map((part, place) => (place ? Number(part) : part));
  if (power < -4 || power >= 16) return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  const plain = power < 0 ? value.toFixed(Math.min(100, digits.replace(/\D/g, "").length - 1 - power)) : fixed(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

function fixed(value) {
  return Math.abs(value) < 1e21 ? String(value) : BigInt(value).toString();
}

// A number of a text that has the form of a float. Digits of other scripts count.
export function float(text) {
  return Number([...text].map(digit).join(""));
}

function digit(sign) {
  if (!/\p{Nd}/u.test(sign)) return sign;
  let start = sign.codePointAt(0); // the digits of a script stand in tens, one ten after another
  while (/\p{Nd}/u.test(String.fromCodePoint(start - 1))) start -= 1;
  return String((sign.codePointAt(0) - start) % 10);
}

// To the nearest whole number; from the middle between two to the even one.
export function round(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 ? below + 1 : below;
}

// f"{value:,.0f}" of Python
export function thousands(value) {
  const sign = value < 0 ? "-" : "";
  return (
    sign +
    BigInt(round(Math.abs(value)))
      .toString()
      .replace(/\B(?=(\d{3})+$)/g, ",")
  );
}

// f"{value:.4g}" of Python
export function fourDigits(value) {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, power] = fourRounded(value).split("e");
  const exponent = Number(power);
  const plain = mantissa.includes(".") ? mantissa.replace(/0+$/, "").replace(/\.$/, "") : mantissa;
  if (exponent < -4 || exponent >= 4) {
    return `${plain}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  return String(Number(`${mantissa}e${power}`));
}

// In scientific form with four digits. JavaScript rounds the middle up, Python to the even digit.
function fourRounded(value) {
  const [exact, power] = value.toExponential(100).split("e");
  const [, start, last, rest] = /^(-?\d\.\d\d)(\d)(\d+)$/.exec(exact);
  return /^50*$/.test(rest) && Number(last) % 2 === 0 ? `${start}${last}e${power}` : value.toExponential(3);
}
