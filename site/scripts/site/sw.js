// Keeps one edition of the site, whole: every file with the content that this edition names by its hash.
// A new edition is fetched beside the old one. It takes over when the reader says so, or when no page of the old one is open.
const EDITION = "EDITION";
const FILES = "FILES";
const PREFIX = `finetuning-course ${self.registration.scope} `;
const CACHE = PREFIX + EDITION;

async function digest(body) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function olderCaches() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
}

// A file is kept under its name and its hash, so that an unchanged one is taken over from the edition before.
const key = (name) => new URL(`${name.split("/").map(encodeURIComponent).join("/")}?sha256=${FILES[name]}`, self.registration.scope).href;

async function fetched(name) {
  const response = await fetch(new URL(name, self.registration.scope), { cache: "no-cache", redirect: "follow" });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  const body = await response.arrayBuffer();
  if ((await digest(body)) !== FILES[name]) throw new Error(`${name} belongs to another edition`);
  return new Response(body, { headers: { "Content-Type": response.headers.get("Content-Type") || "application/octet-stream" } });
}

async function keep() {
  const cache = await caches.open(CACHE);
  const before = await Promise.all((await olderCaches()).map((name) => caches.open(name)));
  const names = Object.keys(FILES);
  const one = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      if (await cache.match(key(name))) continue;
      let response;
      for (const old of before) response ||= await old.match(key(name));
      await cache.put(key(name), response || (await fetched(name)));
    }
  };
  await Promise.all(Array.from({ length: 6 }, one));
}

self.addEventListener("install", (event) => event.waitUntil(keep()));

self.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      const older = await olderCaches();
      await Promise.all(older.map((name) => caches.delete(name)));
      if (!older.length) await self.clients.claim(); // the first edition: the page that is open can do without the network too
    })(),
  ),
);

self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !url.href.startsWith(self.registration.scope)) return;
  let name = decodeURIComponent(url.href.slice(self.registration.scope.length).replace(/[?#].*$/, ""));
  if (name === "" || name.endsWith("/")) name += "index.html";
  if (!(name in FILES)) return;
  event.respondWith(
    caches.open(CACHE).then(async (cache) => (await cache.match(key(name))) || fetched(name)), // refused rather than mixed
  );
});
