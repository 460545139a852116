// When an answered item is due again: FSRS by ts-fsrs, with the parameters and rules of quiz/store.py, and for its reasons.

const DAY_MS = 24 * 60 * 60 * 1000;
const NIGHT_MS = 4 * 60 * 60 * 1000; // how long after midnight an evening lasts
const [AGAIN, HARD, GOOD] = [1, 2, 3];

let fsrs = null;

function scheduler() {
  fsrs ??= new window.FSRS.FSRS({ enable_fuzz: false, enable_short_term: true, learning_steps: [], relearning_steps: [] });
  return fsrs;
}

// What FSRS supposes of the memory of each answered item: `stability` in days, `difficulty`, and `due` in milliseconds.
//
// attempts: `item`, `score`, `at` in milliseconds, and `drilled`, in any order.
export function memory(attempts) {
  const [cards, days] = [new Map(), new Map()];
  for (const attempt of [...attempts].sort((one, other) => one.at - other.at)) {
    const [day, before] = [studyDay(attempt.at), days.get(attempt.item)];
    days.set(attempt.item, day);
    if (attempt.drilled && day === before) continue;
    cards.set(attempt.item, reviewed(cards.get(attempt.item), attempt));
  }
  return cards;
}

function reviewed(card, { score, at }) {
  const rating = score === 1 ? GOOD : score >= 0.5 ? HARD : AGAIN;
  // Whole days of 24 hours, as fsrs of Python counts them: the scheduler of ts-fsrs counts dates in UTC.
  const elapsed = card ? Math.floor((at - card.at) / DAY_MS) : 0;
  const { stability, difficulty } = scheduler().next_state(card ?? null, elapsed, rating, card && remembered(card, elapsed));
  return { stability, difficulty, at, due: at + scheduler().next_interval(stability, elapsed) * DAY_MS };
}

// The chance that an item is remembered after so many days. ts-fsrs would round it to eight digits.
function remembered({ stability }, elapsed) {
  const decay = -scheduler().parameters.w[20];
  return (1 + ((0.9 ** (1 / decay) - 1) * elapsed) / stability) ** decay;
}

// The items that are due by the end of the study day, the longest overdue first.
export function due(attempts, at) {
  const dated = [...memory(attempts)]
    .map(([item, card]) => [card.due, item])
    .filter(([moment]) => studyDay(moment) <= studyDay(at));
  return dated.sort(([one, a], [other, b]) => one - other || (a < b ? -1 : 1)).map(([, item]) => item);
}

// The day to which a moment belongs, as a number. Work after midnight belongs to the evening before it.
function studyDay(at) {
  return Math.floor((local(at) - NIGHT_MS) / DAY_MS);
}

// A moment on the clock of this place, as if it were UTC. As in Python, the offset is that of the moment.
function local(at) {
  return at - new Date(at).getTimezoneOffset() * 60_000;
}
