// What every page does: keeps the site for use without a network, and lets the keyboard reach what scrolls sideways.

const root = new URL(document.documentElement.dataset.content_root || "./", location.href);

/** A strip with a text and a button, which says itself to a screen reader. */
function remark(text, label, act) {
  const strip = document.createElement("div");
  strip.className = "course-remark";
  strip.setAttribute("role", "status");
  document.body.append(strip);
  const words = document.createElement("span");
  words.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", act);
  const later = document.createElement("button");
  later.type = "button";
  later.textContent = "Later";
  later.addEventListener("click", () => strip.remove());
  strip.append(words, button, later);
}

function offer(worker) {
  if (document.querySelector(".course-remark")) return;
  remark("A new edition of the course is there. All its open pages are loaded anew.", "Use it now", () => worker.postMessage("take over"));
}

async function keepForLater() {
  const link = document.createElement("link");
  link.rel = "manifest";
  link.href = new URL("manifest.webmanifest", root);
  document.head.append(link);
  if (!("serviceWorker" in navigator) || navigator.connection?.saveData) return;
  const hadOne = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener("controllerchange", () => hadOne && location.reload());
  const registration = await navigator.serviceWorker.register(new URL("sw.js", root));
  const watch = (worker) =>
    worker?.addEventListener("statechange", () => worker.state === "installed" && navigator.serviceWorker.controller && offer(worker));
  if (registration.waiting && navigator.serviceWorker.controller) offer(registration.waiting);
  watch(registration.installing);
  registration.addEventListener("updatefound", () => watch(registration.installing));
  document.addEventListener("visibilitychange", () => document.hidden || registration.update().catch(() => {}));
}

function letKeysScroll() {
  for (const box of document.querySelectorAll("article pre, .scrolls, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

letKeysScroll();
addEventListener("resize", letKeysScroll);
for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", letKeysScroll);
// A page that is opened from a folder is kept already.
if (location.protocol.startsWith("http")) keepForLater().catch((error) => console.info(`Not kept for offline use: ${error}`));
