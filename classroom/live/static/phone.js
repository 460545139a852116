// A phone: joins the room, shows the question, sends the answer until the server says that it is kept.

import { listen, make, marked, pause, post, stem } from "/live.js";

const [title, link, main, status] = ["title", "link", "main", "status"].map((id) => document.getElementById(id));
// Of fields: nothing changes what is typed.
const PLAIN = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
let view = null; // what the server has sent last
let drawn = ""; // what is on the screen
let chosen = ""; // the answer as it is being chosen or typed

// --- an answer on its way -----------------------------------------------------------------------

// It stays in the phone's memory until it is kept: a page that is closed and opened again sends it.
const shelf = () => `unsent ${view.code}`;
let memory = null; // a browser in private mode may have no other

function unsent() {
  try {
    return JSON.parse(localStorage.getItem(shelf())) ?? memory;
  } catch {
    return memory;
  }
}

function put(answer) {
  memory = answer;
  try {
    localStorage.setItem(shelf(), JSON.stringify(answer));
  } catch {
    return; // it is lost only if the page is closed before the answer is sent
  }
}

let isSending = false;

async function send() {
  if (isSending) return;
  isSending = true;
  for (let answer = unsent(); answer; answer = unsent()) {
    tell("Sending your answer …");
    const { status: code, reply } = await post("/answer", answer);
    const isNewer = JSON.stringify(unsent()) !== JSON.stringify(answer);
    if (code === 0 || code === 503 || code === 429) {
      tell(`${reply.problem} Your answer is sent again.`);
      await pause();
    } else if (code === 401) {
      await join();
    } else if (!isNewer) {
      put(null);
      code === 200 ? keep(answer) : tell(reply.problem, "problem");
    }
  }
  isSending = false;
}

function keep({ question, vote, answer }) {
  if (view?.question?.id !== question || view.vote !== vote) return;
  view.said[vote - 1] = answer;
  mark();
  tell(kept(answer));
}

function kept(answer) {
  return `Your answer is kept: ${answer}. You may change it until the vote is closed.`;
}

function answer(text) {
  put({ question: view.question.id, vote: view.vote, answer: text });
  mark();
  send();
}

function tell(words, css = "") {
  status.className = css;
  if (status.textContent !== words) status.textContent = words;
}

// --- the question -------------------------------------------------------------------------------

function option({ letter, text }) {
  return [make("b", {}, letter), make("span", {}, ...marked(text))];
}

function choices({ kind, choices }) {
  const isSingle = kind === "single";
  const buttons = choices.map(({ letter, text }) => {
    const button = make("button", { type: "button", class: "choice", "data-letter": letter }, ...option({ letter, text }));
    button.addEventListener("click", () => {
      if (isSingle) return answer(letter);
      const letters = new Set(chosen.split(" ").filter(Boolean));
      letters.delete(letter) || letters.add(letter);
      chosen = [...letters].sort().join(" ");
      mark();
    });
    return button;
  });
  const sender = make("button", { type: "button", class: "send" }, "Send");
  sender.addEventListener("click", () => (chosen ? answer(chosen) : tell("Nothing is chosen.", "problem")));
  return [...buttons, ...(isSingle ? [] : [sender])];
}

function field({ unit }) {
  const input = make("input", { ...PLAIN, id: "typed", maxlength: "300" });
  input.value = chosen;
  input.addEventListener("input", () => (chosen = input.value));
  const form = make(
    "form",
    {},
    make("label", { for: "typed" }, unit ? `Your answer (${unit})` : "Your answer"),
    make("div", { class: "row" }, input, make("button", { type: "submit", class: "send" }, "Send")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    input.value.trim() ? answer(input.value) : tell("Nothing was typed.", "problem");
  });
  return [form];
}

// Which options are chosen. What is chosen is told to screen readers, too.
function mark() {
  const last = unsent()?.answer ?? view.said[view.vote - 1] ?? "";
  const letters = (view.question.kind === "single" ? last : chosen).split(" ");
  for (const button of main.querySelectorAll("[data-letter]")) {
    button.setAttribute("aria-pressed", letters.includes(button.dataset.letter));
  }
}

function feedback([verdict, ...lines]) {
  const paragraphs = lines.map((line) => make("p", {}, ...marked(line)));
  return make("section", { class: "feedback" }, make("h2", {}, verdict), ...paragraphs);
}

function draw() {
  const { question, vote, words, said } = view;
  const id = `${question?.id} ${view.phase}`;
  if (id === drawn) return;
  drawn = id;
  tell("");
  title.textContent = question ? `Question ${question.number}${vote === 2 ? ", second vote" : ""}` : "Live questions";
  const parts = [words && make("p", { class: "words" }, words)];
  if (question) {
    parts.push(...stem(question));
    if (vote) {
      chosen = said[vote - 1];
      const own = vote === 2 && said[0] ? [make("p", { class: "soft" }, `Your first answer: ${said[0]}`)] : [];
      const controls = question.choices.length ? choices(question) : field(question);
      const group = { role: "group", "aria-label": "Answers", class: "answers" };
      parts.push(...own, make("p", { class: "soft" }, question.how), make("div", group, ...controls));
    } else if (view.feedback) {
      parts.push(feedback(view.feedback));
    } else {
      parts.push(...question.choices.map((choice) => make("p", { class: "choice" }, ...option(choice))));
      if (said[0]) parts.push(make("p", { class: "soft" }, `Your answer: ${said[0]}`));
    }
  }
  main.replaceChildren(...parts.filter(Boolean));
  if (vote) {
    mark();
    if (said[vote - 1]) tell(kept(said[vote - 1]));
  }
  title.focus(); // a screen reader reads on from here
  scrollTo(0, 0);
}

// --- joining ------------------------------------------------------------------------------------

// The code comes with the QR code, behind the # of the address, or it is typed.
async function join(code = location.hash.slice(1)) {
  for (;;) {
    const { status: result, reply } = await post("/join", { code });
    if (result === 200) {
      link.textContent = "";
      return;
    }
    if (result === 0 || result === 503) {
      link.textContent = "No connection. Trying again …";
      await pause();
    } else {
      link.textContent = "";
      code = await typed(code ? reply.problem : "");
      history.replaceState(null, "", `#${code}`); // a page that is loaded again finds it there
    }
  }
}

function typed(problem) {
  drawn = "";
  title.textContent = "Live questions";
  tell("");
  const input = make("input", { ...PLAIN, id: "code", maxlength: "20", "aria-describedby": "why" });
  const button = make("button", { type: "submit", class: "send" }, "Join");
  const why = make("p", { id: "why", class: "problem", role: "alert" }, problem);
  const form = make("form", { class: "join" }, make("label", { for: "code" }, "The code on the screen"), input, button, why);
  main.replaceChildren(form);
  input.focus();
  return new Promise((resolve) =>
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.value.trim()) resolve(input.value.trim());
    }),
  );
}

const show = (news) => {
  link.textContent = "";
  view = news;
  draw();
  send(); // what a closed page has left
};

const lost = async () => {
  link.textContent = "Connecting again …";
  await pause();
  await join();
};

await join();
listen("/events", show, lost);
