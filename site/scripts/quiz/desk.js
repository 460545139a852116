// The quiz's own page: what is due, rounds, the drill, progress, and one's data as a file.

import { make, marked } from "../../../quiz/question.js";
import { question } from "./asking.js";
import { held, inWords } from "./beliefs.js";
import { notes } from "./block.js";
import { button, comeTo, counted, pose } from "./pose.js";
import { drillPlan, opening, plan, reviewPlan } from "./rounds.js";
import { runDrill, runRound } from "./sequence.js";
import { exported, inWords as countsInWords, read, takeIn } from "./transfer.js";

const ROUND = 10;

export function desk(course, place) {
  const { data, store } = course;
  const said = make("p", { role: "status", class: "note" });
  const show = () => {
    place.replaceChildren(said, ...notes(store), today(), rounds(), drill(), progress(), files());
  };
  const leave = () => {
    tell("");
    show();
    comeTo(place);
    place.querySelector("button").focus({ preventScroll: true });
  };
  const tell = (words) => {
    said.replaceChildren(words);
    if (words) said.scrollIntoView({ block: "center" }); // it stands on top of a long page
  };
  // Runs what a button does. What goes wrong is told.
  const attempt = (what) => async () => {
    try {
      tell("");
      await what();
    } catch (error) {
      tell(error.message);
    }
  };

  function section(title, ...parts) {
    return make("section", {}, make("h2", {}, title), ...parts);
  }

  // --- what is due, and what was left ---

  function today() {
    const due = reviewPlan(data, store.attempts(), course.now());
    const left = store.unfinished();
    const review = due.items.length
      ? [
          make("p", {}, `${counted(due.items.length, "question")} ${due.items.length === 1 ? "is" : "are"} due today.`),
          make(
            "p",
            { class: "buttons" },
            button(
              "Review what is due",
              attempt(() => begin(due)),
              { class: "primary" },
            ),
          ),
        ]
      : [make("p", {}, store.attempts().length ? "Nothing is due today." : "Nothing was answered yet.")];
    return section("Today", ...review, ...(left ? unfinished(left) : []));
  }

  function unfinished(left) {
    const ids = left.plan.items.filter((id) => data.listed.has(id));
    const answered = new Set(store.attempts(left.number).map(({ item }) => item)).size;
    const words = `A round was left: ${answered} of ${counted(ids.length, "question")} answered.`;
    const on = button(
      "Go on with it",
      attempt(() => runRound(course, place, left, { leave })),
    );
    const end = button("End it", () => {
      store.end(left.number);
      show();
    });
    return [make("p", {}, words), make("p", { class: "buttons" }, on, end)];
  }

  async function begin(planned, words = "") {
    await data.load(planned.items);
    await runRound(course, place, { number: store.begin(planned), plan: planned }, { said: words, leave });
  }

  // --- rounds ---

  function rounds() {
    const topic = choice("Topic", { "": "all topics", ...topicTitles() });
    const level = choice("Level", { "": "all levels", ...levels() });
    const count = make("input", { type: "number", min: "1", value: String(ROUND), id: "quiz-count" });
    const exam = tick("What was right is told at the end, as in an exam");
    const article = tick("Questions about the errors of the article that the course corrects");
    const start = make("button", { type: "submit", class: "primary" }, "Begin");
    const form = make(
      "form",
      { class: "settings" },
      ...topic.parts,
      ...level.parts,
      make("label", { for: "quiz-count" }, "Questions"),
      count,
      ...exam.parts,
      ...article.parts,
      start,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(async () => {
        const wanted = { topic: topic.value(), level: level.value(), about: article.value() ? "article" : "interview" };
        const attempts = store.attempts();
        const planned = plan(data, wanted, attempts, {
          count: Math.max(1, Math.floor(Number(count.value)) || ROUND),
          exam: exam.value(),
        });
        if (!planned.items.length) throw new Error("There is no such question. Choose another topic or level.");
        await begin(planned, opening(planned, Number(count.value), attempts));
      })();
    });
    return section("A round of questions", form);
  }

  function topicTitles() {
    return Object.fromEntries(Object.entries(data.topics).map(([topic, { title }]) => [topic, title]));
  }

  function levels() {
    return Object.fromEntries(Object.entries(data.levels).map(([level, meaning]) => [level, `${level}: ${meaning}`]));
  }

  // --- the drill ---

  function drill() {
    const words =
      "What you missed is asked now, until it is right twice with other questions in between. Then come questions on what " +
      "your wrong answers seem to believe. A drill does not change when the quiz asks you again, except by the first answer " +
      "of a day.";
    const start = attempt(async () => {
      await data.load();
      const planned = drillPlan(data, store.attempts());
      if (!planned.items.length) {
        tell("Nothing was missed, and no wrong answer names a belief. Begin a round of questions.");
        return;
      }
      runDrill(course, place, planned, leave);
    });
    return section("Drill", make("p", {}, words), make("p", { class: "buttons" }, button("Begin the drill", start)));
  }

  // --- progress ---

  function progress() {
    const attempts = store.attempts();
    const last = new Map(attempts.map((one) => [one.item, one]));
    const due = new Set(reviewPlan(data, attempts, course.now()).items);
    const groups = Object.entries(data.topics).map(([topic, { title }]) => [title, data.served({ topic })]);
    const article = data.served({ about: "article" });
    if (article.some(({ id }) => last.has(id))) groups.push(["About the article", article]);
    const rows = groups.map(([title, items]) =>
      row(
        title,
        items.map(({ id }) => id),
        last,
        due,
      ),
    );
    const head = ["Topic", "Right", "Answered", "In all", "Due today", ""].map((words) =>
      words ? make("th", { scope: "col" }, words) : make("td"),
    );
    const caption = make("caption", {}, "What was right at the last attempt");
    const table = make(
      "table",
      { class: "progress" },
      caption,
      make("thead", {}, make("tr", {}, ...head)),
      make("tbody", {}, ...rows),
    );
    const days = new Set(attempts.map(({ at }) => new Date(at).toDateString())).size;
    const given = make(
      "p",
      { class: "dim" },
      attempts.length ? `${counted(attempts.length, "answer")} on ${counted(days, "day")}.` : "",
    );
    const beliefs = make("div");
    const tellBeliefs = attempt(async () => {
      await data.load();
      beliefs.replaceChildren(...believed(held(data, store.attempts())));
    });
    const ask = make("p", { class: "buttons" }, button("What my wrong answers seem to believe", tellBeliefs));
    return section(
      "Progress",
      make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Progress by topic" }, table),
      given,
      ask,
      beliefs,
    );
  }

  function row(title, ids, last, due) {
    const met = ids.filter((id) => last.has(id));
    const right = met.filter((id) => last.get(id).score === 1);
    const numbers = [right.length, met.length, ids.length, ids.filter((id) => due.has(id)).length];
    const share = (count) => `${(100 * count) / ids.length}%`;
    const bar = make("td", { class: "bar", "aria-hidden": "true" }, make("span", {}, make("i"), make("b")));
    const [answered, known] = bar.firstChild.children;
    answered.style.width = share(met.length);
    known.style.width = share(right.length);
    return make("tr", {}, make("th", { scope: "row" }, title), ...numbers.map((one) => make("td", {}, String(one))), bar);
  }

  function believed(beliefs) {
    if (!beliefs.length) return [make("p", { role: "status" }, "No wrong answer names a belief that was not given up since.")];
    const rows = beliefs.map(({ belief, times, since }) => {
      const { claim, correction } = inWords(data, belief);
      const often = times === 1 ? "once" : times === 2 ? "twice" : `${times} times`;
      const told = `named ${often}${since ? "; right once since" : ""}`;
      return make("li", {}, make("strong", {}, ...marked(claim)), ` (${told})`, ...(correction ? [make("br"), ...marked(correction)] : []));
    });
    return [make("p", { role: "status" }, "You seem to believe:"), make("ul", {}, ...rows)];
  }

  // --- one's data as a file ---

  function files() {
    const words =
      "Your answers stay in this browser. As a file they come to another browser, and to the course on a computer, where " +
      "`python -m coach import FILE` takes them in; and what `python -m coach export FILE` writes is taken in here.";
    const input = make("input", { type: "file", accept: ".json,application/json", id: "quiz-file" });
    input.addEventListener("change", () => attempt(() => take(input))());
    const label = make("label", { for: "quiz-file" }, "Take in a file");
    const save = button("Write a file", attempt(write));
    return section(
      "Your data",
      make("p", {}, ...marked(words)),
      make("p", { class: "buttons" }, save),
      make("p", { class: "quiz-row" }, label, input),
    );
  }

  async function write() {
    const { content, counts } = await exported(store);
    const told = countsInWords(counts);
    if (!told) throw new Error("Nothing was answered yet, so there is nothing to write.");
    const address = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    const name = `finetuning-course-${new Date(course.now()).toISOString().slice(0, 10)}.json`;
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    tell(`${name} holds ${told}.`);
  }

  async function take(input) {
    const [file] = input.files;
    if (!file) return;
    const added = takeIn(store, await read(file.name, await file.text()));
    const told = countsInWords(added);
    show();
    tell(told ? `Taken in from ${file.name}: ${told}.` : `All that ${file.name} holds is here already. Nothing was changed.`);
  }

  // --- controls ---

  function choice(words, options) {
    const select = make("select", { id: `quiz-${words.toLowerCase()}` });
    select.append(...Object.entries(options).map(([value, text]) => make("option", { value }, text)));
    return { parts: [make("label", { for: select.id }, words), select], value: () => select.value || null };
  }

  let ticks = 0;
  function tick(words) {
    ticks += 1;
    const input = make("input", { type: "checkbox", id: `quiz-tick-${ticks}` });
    return {
      parts: [make("span", { class: "quiz-row choice" }, input, make("label", { for: input.id }, words))],
      value: () => input.checked,
    };
  }

  show();
  const wanted = new URLSearchParams(location.search).get("item");
  if (wanted !== null) attempt(() => one(wanted))();

  // quiz.html?item=ID asks one question.
  async function one(id) {
    if (!data.listed.has(id)) throw new Error(`There is no question ${id.slice(0, 60)}.`);
    await data.load([id]);
    const asks = pose(course, question(data.items.get(id), 0), { heading: "One question" });
    place.replaceChildren(said, ...notes(store), asks.form, make("p", { class: "buttons" }, button("To the quiz", leave)));
    asks.focus();
  }
}
