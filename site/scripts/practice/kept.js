// What the browser keeps: which exercises were solved, and of which the answer was seen.

const KEY = "finetuning-course.faults";
let unkept = null; // what is known while the page is open, in a browser that keeps nothing

function all() {
  if (unkept) return unkept;
  try {
    const told = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return told && typeof told === "object" && !Array.isArray(told) ? told : {};
  } catch {
    return {};
  }
}

// By exercise, "solved" or "seen".
export function outcomes(problem) {
  const told = all()[problem];
  return told && typeof told === "object" ? told : {};
}

// What was solved once stays solved.
export function keep(problem, exercise, isSolved) {
  const told = all();
  const before = outcomes(problem);
  told[problem] = { ...before, [exercise]: isSolved || before[exercise] === "solved" ? "solved" : "seen" };
  try {
    localStorage.setItem(KEY, JSON.stringify(told));
  } catch {
    unkept = told;
  }
}

export function canKeep() {
  try {
    localStorage.setItem(`${KEY}.try`, "");
    localStorage.removeItem(`${KEY}.try`);
    return true;
  } catch {
    return false;
  }
}
