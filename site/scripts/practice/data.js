// The exercises of a problem, which are loaded when they are asked for, and the file of one of them.

export const LEVELS = ["easy", "medium", "hard"];

// Resolves to the data that web/faults.py describes.
export function load(problem) {
  const found = globalThis.courseFaults?.[problem];
  if (found) return Promise.resolve(found);
  return new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = `${document.documentElement.dataset.content_root ?? "../"}_static/course/faults-${problem}.js`;
    script.addEventListener("load", () => done(globalThis.courseFaults[problem]));
    script.addEventListener("error", () => {
      script.remove();
      fail();
    });
    document.head.append(script);
  });
}

// The lines of the file with the fault.
export function fileOf({ lines }, { changes }) {
  const file = [];
  let place = 0;
  for (const [start, end, wrong] of changes) {
    file.push(...lines.slice(place, start), ...wrong);
    place = end;
  }
  return [...file, ...lines.slice(place)];
}

// What differs, with a line before and behind: [[sign, line], ...] for each place, "-" this file's, "+" the reference's.
export function differences({ lines }, { changes }) {
  return changes.map(([start, end, wrong]) => [
    ...lines.slice(Math.max(start - 1, 0), start).map((line) => [" ", line]),
    ...wrong.map((line) => ["-", line]),
    ...lines.slice(start, end).map((line) => ["+", line]),
    ...lines.slice(end, end + 1).map((line) => [" ", line]),
  ]);
}

// The exercise behind the one before, of those never met; else of those not solved; else of all.
export function next({ exercises }, level, outcomes, before) {
  const start = exercises.indexOf(before) + 1;
  const inTurn = [...exercises.slice(start), ...exercises.slice(0, start)].filter((one) => !level || one.level === level);
  const others = inTurn.filter((one) => one !== before);
  return others.find(({ id }) => !outcomes[id]) ?? others.find(({ id }) => outcomes[id] !== "solved") ?? others[0] ?? before;
}
