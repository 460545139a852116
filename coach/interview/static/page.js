// A round: shows the step that the server tells, sends what is answered, and says that the page is open.

const $ = (id) => document.getElementById(id);
const main = $("main");
const BEAT_MS = 5000;
const DRAFT_MS = 1500;
let view = null;
let isSending = false;
let isPaused = false;
let told = 0; // when the clock was told last

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function say(words, isProblem = false) {
  $("status").className = isProblem ? "problem" : "";
  $("status").textContent = words;
}

async function call(name, body) {
  try {
    const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
    const reply = await fetch(name, options);
    return { status: reply.status, data: await reply.json() };
  } catch {
    return { status: 0, data: { problem: "The course does not answer. Does it still run in the terminal? What you wrote stays here." } };
  }
}

// --- the clock ----------------------------------------------------------------------------------

function inWords(seconds) {
  const size = Math.abs(seconds);
  const words = size >= 60 ? `${Math.ceil(size / 60)} min` : `${size} s`;
  return `${words} ${seconds > 0 ? "left" : "over"}`;
}

function tick() {
  if (!view || view.done || isPaused) return;
  const passed = Math.floor((Date.now() - told) / 1000);
  const words = `${view.part}: ${inWords(view.part_left - passed)}; round: ${inWords(view.left - passed)}`;
  if ($("clock").textContent !== words) $("clock").textContent = words;
  $("clock").className = view.part_left - passed <= 0 ? "late" : "";
}

async function beat() {
  if (isSending || isPaused || view?.done) return;
  const { status, data } = await call("view");
  if (isSending || isPaused) return;
  if (status !== 200) return say(data.problem, true);
  if (!view || $("status").textContent.startsWith("The course does not answer")) say("");
  if (data.id !== view?.id || data.done) draw(data);
  else Object.assign(view, { left: data.left, part_left: data.part_left });
  told = Date.now();
  tick();
}

// --- drafts -------------------------------------------------------------------------------------

// What is being written stays in the browser at once, and in the course soon after.
const shelf = () => `draft ${location.pathname} ${view.id}`;
let waiting = null;

function keepDraft(text) {
  try {
    localStorage.setItem(shelf(), text);
  } catch {
    // a private window keeps none; the course does
  }
  clearTimeout(waiting);
  const prompt = view.id;
  waiting = setTimeout(() => call("draft", { prompt, text }), DRAFT_MS);
}

function draft() {
  try {
    return localStorage.getItem(shelf()) ?? view.draft;
  } catch {
    return view.draft;
  }
}

addEventListener("pagehide", () => {
  const field = $("text");
  if (view?.kind === "text" && field?.value) navigator.sendBeacon("draft", JSON.stringify({ prompt: view.id, text: field.value }));
});

// --- answers ------------------------------------------------------------------------------------

async function send(text) {
  if (isSending) return;
  isSending = true;
  clearTimeout(waiting);
  say(view.kind === "code" && text === "check" ? "Your file is being checked. This takes some seconds …" : "");
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  const { status, data } = await call("answer", { prompt: view.id, text });
  isSending = false;
  for (const button of document.querySelectorAll("button")) button.disabled = false;
  if (status !== 200) return say(data.problem, true);
  try {
    localStorage.removeItem(shelf());
  } catch {
    // there is none
  }
  say("");
  draw(data);
}

function picked() {
  const letters = [...main.querySelectorAll("input:checked")].map((input) => input.value);
  const note = $("note")?.value.trim();
  const words = letters.join(" ");
  return note ? `${words} / ${note}` : words;
}

// --- drawing ------------------------------------------------------------------------------------

function marked(text) {
  return text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
}

function block({ text, kind, title }) {
  const parts = title ? [make("h3", {}, title)] : [];
  if (!text) return parts;
  if (kind === "code") return [...parts, make("pre", { tabindex: "0", class: title ? "text" : "" }, text.replace(/^\n+|\n+$/g, ""))];
  return [...parts, make("p", { class: kind === "lines" ? "lines" : "" }, ...marked(text))];
}

function choices() {
  if (!view.pick) return view.choices.map(([letter, text]) => make("p", { class: "choice" }, make("b", {}, letter), make("span", {}, ...marked(text))));
  const type = view.pick === "one" ? "radio" : "checkbox";
  return view.choices.map(([letter, text]) => {
    const input = make("input", { type, name: "choice", value: letter });
    return make("label", { class: "choice" }, input, make("b", {}, letter), make("span", {}, ...marked(text)));
  });
}

function controls() {
  const quick = view.quick.map(([text, words], place) => {
    const button = make("button", { type: "button", class: place ? "" : "send" }, words);
    button.addEventListener("click", () => send(text));
    return button;
  });
  if (view.kind === "code" || view.kind === "over") return [make("div", { class: "row" }, ...quick)];
  const parts = [];
  if (view.kind === "text") {
    const field = make("textarea", { id: "text", "aria-labelledby": "how", spellcheck: "false" });
    field.value = draft();
    field.addEventListener("input", () => keepDraft(field.value));
    parts.push(field);
  } else if (!view.pick) {
    parts.push(make("input", { id: "text", type: "text", "aria-labelledby": "how", autocomplete: "off", autocapitalize: "off", spellcheck: "false" }));
  } else if (view.led) {
    parts.push(make("label", { for: "note" }, "A note"), make("input", { id: "note", type: "text", autocomplete: "off" }));
  }
  parts.push(make("div", { class: "row" }, make("button", { type: "submit", class: "send" }, view.kind === "text" ? "Done" : "Answer"), ...quick));
  for (const button of quick) button.className = "";
  return parts;
}

function draw(data) {
  view = data;
  told = Date.now();
  $("title").textContent = view.title;
  document.title = view.title;
  $("footer").hidden = Boolean(view.done);
  if (view.done) return drawEnd();
  const heading = make("h2", { tabindex: "-1" }, view.heading);
  const left = view.partners;
  const form = make(
    "form",
    {},
    ...left.map((text, place) => make("p", { class: "choice" }, make("b", {}, `${place + 1}`), make("span", {}, ...marked(text)))),
    ...choices(),
    make("p", { id: "how", class: "soft" }, how()),
    ...controls(),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(view.pick ? picked() : $("text").value);
  });
  const step = make("div", {}, heading, ...view.say.flatMap(block), form);
  const parts = [step];
  if (view.aside.length) parts.push(make("aside", { "aria-label": "For you alone" }, make("h3", {}, "For you alone"), ...view.aside.flatMap(block)));
  main.replaceChildren(make("div", { class: "columns" }, ...parts));
  tick();
  scrollTo(0, 0);
  (form.querySelector("textarea, input[type=text]:not(#note)") ?? heading).focus({ preventScroll: true });
}

// The terminal's words name what is typed; here some of it is clicked.
function how() {
  if (view.pick === "one") return "Choose one. Its letter on the keyboard does the same.";
  if (view.kind === "marks") return `${view.how.split("?")[0]}? Choose all that apply, or “None of them”.`;
  if (view.pick === "many") return "Several are right. Choose them.";
  if (view.kind === "text") return view.how.replace(" An empty line ends your answer.", "");
  if (view.kind === "code") return "Work in the file with your own editor and save it. Then check it here.";
  if (view.kind === "over") return "";
  return view.how;
}

function drawEnd() {
  $("clock").textContent = "";
  const link = make("a", { href: "debrief", class: "button" }, "Read the debrief");
  main.replaceChildren(
    make("h2", { tabindex: "-1" }, "The round is over"),
    make("p", {}, "Your debrief is written. It also lies in your folder, as HTML and as Markdown:"),
    make("pre", { class: "text" }, view.path),
    make("p", { class: "row" }, link),
  );
  link.focus();
}

// --- keys and buttons ---------------------------------------------------------------------------

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !view?.pick || event.target.matches("textarea, input[type=text]")) return;
  const input = [...main.querySelectorAll("input[name=choice]")].find((one) => one.value === event.key.toLowerCase());
  if (input) {
    input.checked = view.pick === "one" || !input.checked;
    input.focus();
  } else if (event.key === "Enter" && !event.target.matches("button, a")) {
    event.preventDefault();
    send(picked());
  }
});

$("skip").addEventListener("click", () => (view.kind === "over" ? send("next") : send("skip")));
$("end").addEventListener("click", () => confirm("End the round now and write the debrief?") && send("end"));
$("pause").addEventListener("click", async () => {
  isPaused = true;
  await call("pause", { prompt: view.id, text: "" });
  $("clock").textContent = "The clock stands.";
  const shown = [...main.children];
  const button = make("button", { type: "button", class: "send" }, "Go on");
  button.addEventListener("click", () => {
    isPaused = false;
    main.replaceChildren(...shown);
    $("footer").hidden = false;
    beat();
  });
  $("footer").hidden = true;
  main.replaceChildren(make("h2", {}, "Paused"), make("p", {}, "The clock stands. What you wrote is kept."), make("p", { class: "row" }, button));
  button.focus();
});

setInterval(tick, 1000);
setInterval(beat, BEAT_MS);
beat();
