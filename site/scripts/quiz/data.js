// The bank in the browser. web/quizzes.py writes it: the list of items is part of quiz.js, and the items of a topic are a
// script of their own, which is added when it is needed: a page that was opened from a folder may not fetch a file.

const here = document.currentScript?.src ?? document.baseURI; // the bundle runs as one classic script

export class Data {
  // told: topics, levels and words, as web/quizzes.py puts them into courseQuiz.
  constructor(told) {
    Object.assign(this, told);
    this.root = document.documentElement.dataset.content_root ?? "";
    this.loading = new Map();
    this.list = Object.entries(this.topics).flatMap(([topic, { items }]) =>
      items.map(([id, level, about]) => ({ id, topic, level, about: about ? "article" : "interview" })),
    );
    this.listed = new Map(this.list.map((one) => [one.id, one]));
    this.items = new Map(); // those that are loaded, whole, by id
    this.misconceptions = new Map();
  }

  // The places of items by topic, level and kind: what can be known without loading them.
  served({ topic = null, level = null, about = "interview" } = {}) {
    return this.list.filter(
      (one) => (topic === null || one.topic === topic) && (level === null || one.level === level) && one.about === about,
    );
  }

  // Loads these items, or with null all there are. An Error with a sentence if a file is not there.
  async load(ids = null) {
    const topics = ids ? new Set(ids.map((id) => this.listed.get(id)?.topic).filter(Boolean)) : Object.keys(this.topics);
    await Promise.all([...topics].map((topic) => this.loadTopic(topic)));
  }

  loadTopic(topic) {
    if (!this.loading.has(topic))
      this.loading.set(
        topic,
        added(`bank-${topic}.js`).then(() => this.take(topic)),
      );
    return this.loading.get(topic);
  }

  take(topic) {
    const { items, misconceptions } = window.courseBank[topic];
    for (const item of items) this.items.set(item.id, { ...item, topic });
    for (const [id, one] of Object.entries(misconceptions)) this.misconceptions.set(id, one);
  }
}

// Adds a script that lies beside this one.
export function added(name) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL(name, here);
    script.onload = done;
    script.onerror = () => failed(new Error(`The file ${name} of this site could not be loaded. Load the page again.`));
    document.head.append(script);
  });
}
