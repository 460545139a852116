// A file as a listbox: a line is chosen by a click or by the arrow keys.

import { make } from "../../../quiz/question.js";
import { coloured } from "./elements.js";

const PAGE = 10; // lines that Page Up and Page Down move by
let count = 0; // for ids that are unique in the page

// What a screen reader says before a line. Blanks at its front are Python's grammar, so they are counted.
function inWords(number, text, mark) {
  const blanks = text.length - text.trimStart().length;
  return `${[`Line ${number}`, mark, blanks && `${blanks} spaces`].filter(Boolean).join(", ")}: `;
}

// file: its lines; parts: the first and last lines that are shown; marks: by line, {sign, words, css}.
// choose(line) is called when another line is chosen, answer(line) at Enter and at a double click.
export function listing({ file, parts, marks, chosen, labelledBy, choose, answer }) {
  count += 1;
  const id = (number) => `fault-${count}-line-${number}`;
  const rows = new Map();
  const box = make("div", { role: "listbox", tabindex: "0", class: "course-lines", "aria-labelledby": labelledBy });

  const row = (number) => {
    const html = file[number - 1];
    const numbered = make("span", { class: "number", "aria-hidden": "true" }, `${number}`);
    const text = coloured(html).textContent;
    if (!text.trim()) return make("div", { class: "line", role: "presentation" }, numbered);
    const mark = marks.get(number);
    const said = make("span", { class: "course-hidden" }, inWords(number, text, mark?.words));
    const sign = make("span", { class: "sign", "aria-hidden": "true" }, mark?.sign ?? "");
    const attributes = { role: "option", id: id(number), "aria-selected": "false", class: `line ${mark?.css ?? ""}` };
    const line = make("div", attributes, numbered, said, sign, coloured(html));
    line.addEventListener("click", () => select(number));
    line.addEventListener("dblclick", () => answer(number));
    rows.set(number, line);
    return line;
  };

  const select = (number) => {
    rows.get(chosen)?.setAttribute("aria-selected", "false");
    chosen = number;
    rows.get(number).setAttribute("aria-selected", "true");
    rows.get(number).scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
    box.setAttribute("aria-activedescendant", id(number));
    choose(number);
  };

  parts.forEach(([first, last], place) => {
    const before = place ? parts[place - 1][1] : 0;
    if (first > before + 1) box.append(gap(before + 1, first - 1));
    const numbers = Array.from({ length: last - first + 1 }, (_, more) => first + more);
    box.append(make("div", { role: "group", "aria-label": `Lines ${first} to ${last}` }, ...numbers.map(row)));
  });
  if (parts.at(-1)[1] < file.length) box.append(gap(parts.at(-1)[1] + 1, file.length));

  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const numbers = [...rows.keys()];
    const at = numbers.indexOf(chosen);
    const places = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: numbers.length - 1, PageDown: at + PAGE, PageUp: at - PAGE };
    if (event.key in places) {
      event.preventDefault();
      select(numbers[Math.min(Math.max(places[event.key], 0), numbers.length - 1)]);
    } else if (event.key === "Enter" && chosen) {
      event.preventDefault();
      answer(chosen);
    }
  });
  if (rows.has(chosen)) {
    rows.get(chosen).setAttribute("aria-selected", "true");
    box.setAttribute("aria-activedescendant", id(chosen));
  }
  return box;
}

function gap(first, last) {
  const words = first === last ? `line ${first} is not shown` : `lines ${first} to ${last} are not shown`;
  return make("div", { class: "gap", role: "presentation" }, `⋯ ${words}`);
}
