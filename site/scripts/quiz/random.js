// Orders that follow from a text: the same seed gives the same order in each browser.

// The items in an order that follows from the seed.
export function shuffled(items, seed) {
  const found = [...items];
  const next = numbers(seed);
  for (let place = found.length - 1; place > 0; place -= 1) {
    const other = Math.floor(next() * (place + 1));
    [found[place], found[other]] = [found[other], found[place]];
  }
  return found;
}

// A seed that nobody chose.
export function anySeed() {
  return Math.floor(Math.random() * 1e6);
}

// Numbers from 0 to 1: mulberry32, begun with the FNV-1a hash of the seed.
function numbers(seed) {
  let state = 2166136261;
  for (const sign of seed) state = Math.imul(state ^ sign.codePointAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
