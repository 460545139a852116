// What the phone and the projector share.

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

// The elements of a question: its text, and its code if there is some.
export function stem(question) {
  const code = question.code ? [make("pre", { tabindex: "0" }, make("code", {}, question.code))] : [];
  return [make("p", { class: "stem" }, ...marked(question.stem)), ...code];
}

const SILENCE_MS = 25000; // the server gives a sign of life every ten seconds

// Shows each view that the server sends. When the connection is lost, it waits for the promise of `lost`, and connects again.
export function listen(url, show, lost) {
  let source = null;
  let watch = null;
  let isLost = false;
  const heard = () => {
    clearTimeout(watch);
    watch = setTimeout(again, SILENCE_MS);
  };
  const again = async () => {
    if (isLost) return;
    isLost = true;
    source.close();
    clearTimeout(watch);
    await lost();
    isLost = false;
    connect();
  };
  const connect = () => {
    source = new EventSource(url);
    source.addEventListener("error", again);
    source.addEventListener("beat", heard);
    source.addEventListener("message", ({ data }) => {
      heard();
      show(JSON.parse(data));
    });
    heard();
  };
  // A phone that was asleep may hold a connection that is dead.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) again();
  });
  connect();
}

// Sends data. Returns the status, 0 if nobody answers, and the reply.
export async function post(url, data) {
  try {
    const body = JSON.stringify(data);
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
    return { status: response.status, reply: await response.json() };
  } catch {
    return { status: 0, reply: { problem: "No connection." } };
  }
}

export function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Not all at the same moment: a room of phones loses its server at once.
export function pause() {
  return wait(500 + 1000 * Math.random());
}
