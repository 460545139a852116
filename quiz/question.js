// Draws a question and what is told after an answer. It has two hosts: the notebook's widget (widget.js) and the web
// edition (site/scripts/quiz). Neither key nor grading is known here: a host gets what was chosen or typed, and replies.

export const LETTERS = "abcdefghij";
let count = 0; // for ids that are unique in the page

// An element with attributes and children. Strings become text, never markup.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Text as nodes; what stands in backticks is code.
export function marked(text) {
  return text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
}

// Where the answer is proved: a cell of a notebook, or sources in the internet.
function proof(proved, attributes) {
  const links = proved.places.map(({ title, link }) =>
    make("a", { href: link, target: "_blank", rel: "noopener", ...attributes(link, proved) }, ...marked(title)),
  );
  return make("p", { class: "dim" }, "Proof: ", ...links.flatMap((link, place) => (place ? ["; ", link] : [link])));
}

function fresh(name) {
  count += 1;
  return `quiz-${name}-${count}`;
}

// --- the controls, one function a kind. Each returns its elements and how to read the answer. ---

function boxes(type, texts) {
  const name = fresh("choice");
  const inputs = texts.map((_, place) => make("input", { type, name, id: `${name}-${place}` }));
  const rows = texts.map((text, place) =>
    make("div", { class: "quiz-row choice" }, inputs[place], make("label", { for: inputs[place].id }, ...marked(text))),
  );
  return { rows, inputs, read: () => letters(inputs.flatMap((input, place) => (input.checked ? [place] : []))) };
}

function letters(places) {
  return places.map((place) => LETTERS[place]).join(" ");
}

function field(question) {
  const id = fresh("field");
  const input = make("input", {
    type: "text",
    id,
    class: "typed",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
  });
  const label = make("label", { for: id }, question.unit ? `Your answer (${question.unit})` : "Your answer");
  return { rows: [make("div", { class: "quiz-row" }, label, input)], read: () => input.value };
}

function area() {
  const id = fresh("area");
  const input = make("textarea", { id, rows: 4 });
  return { rows: [make("label", { for: id }, "Your answer"), input], read: () => input.value };
}

function ordering(question, say) {
  const list = make("ol");
  question.choices.forEach((text, place) => {
    const step = make("li", { "data-letter": LETTERS[place] });
    const move = (word, sign, by) => {
      const button = make("button", { type: "button", "aria-label": `Move ${word}: ${text}` }, sign);
      button.addEventListener("click", () => {
        const steps = [...list.children];
        const other = steps[steps.indexOf(step) + by];
        if (other) {
          by < 0 ? other.before(step) : other.after(step);
          button.focus(); // moving an element takes the focus from it
          list.dispatchEvent(new Event("input", { bubbles: true }));
        }
        say(`${text}: step ${[...list.children].indexOf(step) + 1} of ${steps.length}.`);
      });
      return button;
    };
    step.append(
      make("div", { class: "quiz-row choice" }, move("up", "↑", -1), move("down", "↓", 1), make("span", {}, ...marked(text))),
    );
    list.append(step);
  });
  return { rows: [list], read: () => [...list.children].map((step) => step.dataset.letter).join(" ") };
}

function matching(question) {
  const selects = question.left.map(() => make("select", { id: fresh("partner") }));
  const cells = question.left.flatMap((text, row) => {
    const options = question.choices.map((choice, place) => make("option", { value: LETTERS[place] }, choice));
    selects[row].append(make("option", { value: "" }, "choose"), ...options);
    return [make("label", { for: selects[row].id }, ...marked(text)), selects[row]];
  });
  const read = () =>
    selects
      .map((select) => select.value)
      .filter(Boolean)
      .join(" ");
  return { rows: [make("div", { class: "pairs" }, ...cells)], read };
}

function controls(question, say) {
  switch (question.kind) {
    case "single":
      return boxes("radio", question.choices);
    case "multiple":
      return boxes("checkbox", question.choices);
    case "ordering":
      return ordering(question, say);
    case "matching":
      return matching(question);
    case "open":
      return area();
    default:
      return field(question);
  }
}

// --- one question ---

// Returns the form, and functions: `show` shows the host's reply in it, `end` leaves what was answered to be read, and `focus`
// goes to the question.
//
// send: is called with what was chosen or typed: `answer`, and `marks` once the key points of an open question are shown.
// host.patience: `ms` and `words`, which are told if no reply has come by then.
// host.linked: what a link to a proof has beside its address, by the address and the `proof` of the reply.
export function ask(question, send, { patience = null, linked = () => ({}) } = {}) {
  const feedback = make("div", { class: "feedback", "aria-live": "polite" });
  const moved = make("div", { class: "quiz-hidden", "aria-live": "polite" });
  const how = make("p", { class: "dim", id: fresh("how") }, ...marked(question.how));
  const control = controls(question, (words) => moved.replaceChildren(words));
  const legend = make("legend", {}, make("span", { class: "heading" }, question.heading), ...marked(question.stem));
  const code = question.code ? [make("pre", {}, make("code", {}, question.code))] : [];
  const points = make("div");
  const button = make("button", { type: "submit" }, question.button);
  const fieldset = make("fieldset", { "aria-describedby": how.id }, legend, ...code, how, ...control.rows, points);
  const form = make("form", {}, fieldset, button, moved, feedback);
  let marks = null; // the key points of an open question, once they are shown
  let waiting = null;

  const tell = (words, css = "") => feedback.replaceChildren(make("p", { class: css }, words));
  const goesOn = () => {
    clearTimeout(waiting);
    waiting = null;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (waiting) return;
    feedback.replaceChildren();
    if (patience) {
      waiting = setTimeout(() => {
        waiting = null;
        tell(patience.words);
      }, patience.ms);
    }
    send({ answer: control.read(), marks: marks ? marks.read() : null });
  });
  // A verdict belongs to the answer that it was given to.
  form.addEventListener("input", () => feedback.replaceChildren());

  const show = (reply) => {
    goesOn();
    if (reply.problem || reply.kept) {
      tell(reply.problem || reply.kept);
    } else if (reply.points) {
      marks = boxes("checkbox", reply.points);
      const caption = make("legend", {}, "Key points. Mark those that you said, then check.");
      points.append(make("fieldset", {}, caption, ...marks.rows));
      button.textContent = "Check";
      marks.inputs[0].focus();
    } else {
      feedback.replaceChildren(...told(reply, linked));
    }
  };
  const end = () => {
    goesOn();
    fieldset.disabled = true;
    button.remove();
  };
  const focus = () => {
    fieldset.tabIndex = -1;
    fieldset.focus({ preventScroll: true });
  };
  return { form, show, end, focus };
}

// The feedback, as elements: the verdict, what the answer reveals, the key, why, and where it is proved.
export function told(reply, linked) {
  const [verdict, ...lines] = reply.lines;
  const css = `verdict ${reply.verdict.split(" ")[0]}`;
  const paragraphs = [...lines, reply.remark].filter(Boolean).map((line) => make("p", {}, ...marked(line)));
  const progress = reply.progress ? [make("p", { class: "dim" }, reply.progress)] : [];
  const sign = make("span", { "aria-hidden": "true" }, `${reply.sign} `);
  return [make("p", { class: css }, sign, verdict), ...paragraphs, proof(reply.proof, linked), ...progress];
}
