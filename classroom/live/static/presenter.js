// The projector: shows what the round is at, and sends what the presenter does. Every action has a key.

import { listen, make, marked, pause, post, stem } from "/live.js";

const FORWARD = [" ", "Enter", "ArrowRight", "PageDown"]; // the keys of a remote control, too
const [title, place, count, main, trouble, footer] = ["title", "place", "count", "main", "trouble", "actions"].map((id) =>
  document.getElementById(id),
);
const next = make("select", { id: "next", "aria-label": "Next question" });
next.addEventListener("change", () => main.focus()); // whose keys go on with the round
let view = null;
let drawn = ""; // what is on the screen

// --- actions ------------------------------------------------------------------------------------

async function act(action) {
  const question = action === "ask" ? { question: next.value } : {};
  const { status, reply } = await post("/presenter/act", { action, step: view.step, ...question });
  if (status === 200 || status === 409) return; // 409: the key was pressed twice
  trouble.textContent = reply.problem;
}

document.addEventListener("keydown", (event) => {
  if (!view || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target === next) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step && next.options[next.selectedIndex + step]) next.selectedIndex += step;
  if (event.target.closest("button, summary") && ["Enter", " "].includes(event.key)) return; // it acts by itself
  const isForward = FORWARD.includes(event.key);
  const action = isForward ? view.actions[0] : view.actions.find(({ key }) => key === event.key.toLowerCase());
  if (!action) return;
  event.preventDefault();
  act(action.name);
});

function buttons() {
  const known = next.value;
  next.replaceChildren(
    ...view.left.map(({ id, stem }, place) => {
      const words = stem.length > 60 ? `${stem.slice(0, 60)} …` : stem;
      return make("option", { value: id }, `${view.played + place + 1}. ${words.replaceAll("`", "")}`);
    }),
  );
  if (view.left.some(({ id }) => id === known)) next.value = known;
  const made = view.actions.map(({ name, key, words }, place) => {
    const keys = [make("kbd", {}, key.toUpperCase()), ...(place ? [] : [make("kbd", {}, "Space")])];
    const button = make("button", { type: "button", ...(place ? {} : { class: "send" }) }, words, " ", ...keys);
    button.addEventListener("click", () => act(name));
    return button;
  });
  const asks = view.actions.some(({ name }) => name === "ask");
  const label = make("label", { for: "next" }, "which: ", make("kbd", {}, "↑"), make("kbd", {}, "↓"));
  const picker = asks ? [...(view.left.length > 1 ? [label] : []), next] : [];
  footer.replaceChildren(...made, ...picker);
}

// --- what is shown ------------------------------------------------------------------------------

function lobby() {
  const steps = make(
    "ol",
    {},
    make("li", {}, "Be in the same network (Wi-Fi) as this computer."),
    make("li", {}, "Scan the picture, or open ", make("b", { class: "place" }, view.address)),
    make("li", {}, "Code: ", make("b", { class: "code" }, view.code)),
  );
  const help = make(
    "details",
    {},
    make("summary", {}, "The page does not open on a phone"),
    make("p", {}, "Is the phone in this network, with mobile data and VPN off? Does the firewall here let Python in?"),
    make("p", {}, "Many campus networks keep phones apart from computers. Then open a hotspot, and start again."),
  );
  help.addEventListener("toggle", fit);
  const image = make("img", { src: "/presenter/code.svg", alt: `QR code of http://${view.address}/#${view.code}` });
  return [make("div", { class: "lobby" }, image, make("div", {}, steps, help))];
}

function choices() {
  const rows = view.question.choices.map(({ letter, text }) =>
    make("li", {}, make("b", {}, letter), make("span", {}, ...marked(text))),
  );
  return rows.length ? [make("ul", { class: "options" }, ...rows)] : [];
}

function asking() {
  const { kind, unit } = view.question;
  const how = {
    single: "",
    multiple: "Several answers are right.",
    numeric: `Type a number (${unit}).`,
    prints: "Type what is printed.",
  }[kind];
  const [given] = view.answered;
  const words = {
    first: "Answer on your own. Do not talk yet.",
    second: "Second vote: answer again, on your own.",
    discussion: "Talk to your neighbours. Find somebody who has answered otherwise. Who has the better reason?",
    closed: `${given ? `${view.right} of ${given} are right (${share(view.right, given)}). ` : ""}${view.advice}`,
  }[view.phase];
  return [...stem(view.question), ...choices(), make("p", { class: "words" }, [how, words].filter(Boolean).join(" "))];
}

function share(part, whole) {
  return whole ? `${Math.round((100 * part) / whole)} %` : "–";
}

function bar(part, whole, css) {
  const filled = make("span", { class: `bar ${css}` });
  filled.style.width = `${whole ? (100 * part) / whole : 0}%`; // set here: the page forbids styles in its markup
  return make("span", { class: "track" }, filled);
}

function sign() {
  return make("strong", { "aria-hidden": "true" }, "✓ ");
}

function histogram() {
  const votes = view.totals.map((whole, vote) => (view.totals.length > 1 ? ["first", "second"][vote] : ""));
  const rows = view.rows.map(({ letter, text, right, belief, counts }) => {
    const words = [
      letter ? make("b", {}, letter) : "",
      make("span", {}, ...(right ? [sign(), make("span", { class: "hidden" }, "right: ")] : []), ...marked(text)),
    ];
    const thought = belief ? [make("p", { class: "belief" }, "Belief: ", ...marked(belief))] : [];
    const bars = counts.map((n, vote) =>
      make(
        "div",
        { class: "count" },
        ...(votes[vote] ? [make("span", { class: "which" }, votes[vote])] : []),
        bar(n, view.totals[vote], right ? "good" : ""),
        make("span", { class: "number" }, `${n} (${share(n, view.totals[vote])})`),
      ),
    );
    const answer = make("div", {}, make("p", {}, ...words), ...thought);
    return make("li", right ? { class: "right" } : {}, answer, make("div", {}, ...bars));
  });
  return make("ul", { class: "histogram" }, ...rows);
}

function shown() {
  const [first, second] = view.totals.map((whole, vote) => `${view.right[vote]} of ${whole}`);
  const words = second ? `Right: ${first} in the first vote, ${second} in the second.` : `Right: ${first}.`;
  const changes = Object.entries(view.changes).map(([name, n]) => `${n} ${name}`).join(", ");
  const summary = changes ? `${words} Of those who voted twice: ${changes}.` : words;
  const explanation = make("p", { class: "explanation" }, ...marked(view.explanation));
  return [...stem(view.question), histogram(), explanation, make("p", { class: "soft" }, summary)];
}

function over() {
  const part = (held, vote) => (held.counts.length > vote ? `${held.counts[vote]} of ${held.totals[vote]}` : "–");
  const rows = view.beliefs.slice(0, 6).map((held) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, ...marked(held.belief), make("p", { class: "soft" }, ...marked(held.correction))),
      make("td", {}, part(held, 0)),
      make("td", {}, part(held, 1)),
    ),
  );
  if (!rows.length) return [make("h2", {}, "The round is over"), make("p", {}, "No wrong belief came up.")];
  const columns = ["What was believed, and what is true", "First vote", "Second vote"];
  const head = make("tr", {}, ...columns.map((words) => make("th", { scope: "col" }, words)));
  return [make("h2", {}, "The round is over"), make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))];
}

// The letters are as large as the screen allows.
function fit() {
  for (let size = 100; size >= 40; size -= 4) {
    main.style.fontSize = `${size}%`;
    if (main.scrollHeight <= main.clientHeight && main.scrollWidth <= main.clientWidth) return;
  }
}

function draw() {
  trouble.textContent = view.trouble;
  place.textContent = view.phase === "lobby" ? "" : `${view.address} · ${view.code}`;
  const joined = `${view.phones} ${view.phones === 1 ? "phone" : "phones"}`;
  count.textContent = view.vote ? `${view.answered[view.vote - 1]} of ${joined} answered` : joined;
  const id = `${view.question?.id} ${view.step}`;
  if (id === drawn) return;
  drawn = id;
  const votes = { first: ", first vote", second: ", second vote", discussion: ", discussion" }[view.phase] ?? "";
  title.textContent = view.question && view.phase !== "over" ? `Question ${view.question.number}${votes}` : "Live questions";
  const parts = { lobby, shown, over }[view.phase] ?? asking;
  main.replaceChildren(...parts());
  buttons();
  fit();
  main.focus();
}

addEventListener("resize", fit);
listen(
  "/presenter/events",
  (news) => {
    view = news;
    draw();
  },
  () => {
    trouble.textContent = "No connection to the server. If it was stopped, start it again with the same command.";
    return pause();
  },
);
