// The quiz in a notebook. It sends what was chosen or typed to the kernel, where it is graded: see widget.py.

import { ask, make } from "./question.js";

const PATIENCE = {
  ms: 8000,
  words: "The kernel has not answered yet. If it is busy, wait. If it was restarted, run this cell again.",
};

// A browser that follows a link to a notebook opens it in a new page, at its top. JupyterLab has a command that opens
// it beside this one, at the heading; these attributes call it. Other hosts do not have it, and follow the link.
function jupyterLab(link, { folder }) {
  const file = `${folder}/${link}`;
  const root = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}").serverRoot?.replaceAll(
    "\\",
    "/",
  );
  const [path, id] = file.split("#");
  if (!id || !root || !path.startsWith(`${root}/`)) return {};
  const place = { path: path.slice(root.length + 1), id: `#${id}` };
  return {
    "data-commandlinker-command": "rendermime:handle-local-link",
    "data-commandlinker-args": JSON.stringify(place),
  };
}

function render({ model, el }) {
  const forms = model
    .get("questions")
    .map((question, number) =>
      ask(question, (said) => model.send({ number, ...said }), { patience: PATIENCE, linked: jupyterLab }),
    );
  const progress = make("p", { class: "progress" });
  const draw = () => progress.replaceChildren(model.get("progress"));
  const receive = (reply) => forms[reply.number].show(reply);
  draw();
  model.on("change:progress", draw);
  model.on("msg:custom", receive);
  const quiz = make("div", { class: "quiz" }, ...forms.map(({ form }) => form), progress);
  // JupyterLab takes arrows, Enter and letters for its own shortcuts. Ctrl and a letter, such as S to save, it may have.
  quiz.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || !(event.ctrlKey || event.metaKey)) event.stopPropagation();
  });
  el.append(quiz);
  return () => {
    model.off("change:progress", draw);
    model.off("msg:custom", receive);
  };
}

export default { render };
