"use strict";
// Filters and sorts the table of students. Without it, the page shows all of them, by name.
(() => {
  const table = document.getElementById("class");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  const field = (name) => document.getElementById(`filter-${name}`);
  const count = document.getElementById("count");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = new Map(rows.map((row) => [row, plain(row.textContent)]));
  const points = (row, column) => {
    const value = row.cells[column].dataset.value;
    return value ? Number(value) : null;
  };
  let sorted = "";

  const fits = (row) => {
    const problem = field("problem").value, state = field("state").value, keys = row.dataset.keys.split(" ");
    if (!plain(field("text").value).split(/\s+/).every((word) => texts.get(row).includes(word))) return false;
    const key = problem ? `${problem}:${state}` : state;
    if (key && !keys.includes(key.replaceAll(" ", "-"))) return false;
    const cell = table.tHead.querySelector(`[data-problem="${problem}"]`);
    const value = cell ? points(row, cell.cellIndex) : null;
    const least = field("least").value, most = field("most").value;
    if (least !== "" && (value === null || value < Number(least))) return false;
    return most === "" || (value !== null && value <= Number(most));
  };

  const tell = () => {
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${rows.length} shown${sorted ? `, sorted by ${sorted}` : ""}.`;
  };

  const filter = () => {
    for (const row of rows) row.hidden = !fits(row);
    tell();
  };

  const compare = (column, numbers) => (one, other) => {
    if (!numbers) return one.cells[column].textContent.localeCompare(other.cells[column].textContent, undefined, { numeric: true });
    return points(one, column) - points(other, column);
  };

  const sort = (heading) => {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    const column = heading.cellIndex, numbers = heading.dataset.sort === "number";
    const empty = (row) => numbers && points(row, column) === null;
    const order = compare(column, numbers);
    rows.sort((one, other) => empty(one) - empty(other) || (empty(one) ? 0 : up ? order(one, other) : order(other, one)));
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    sorted = `${heading.dataset.name}, ${numbers ? (up ? "lowest first" : "highest first") : up ? "from A to Z" : "from Z to A"}`;
    table.tBodies[0].append(...rows);
    tell();
  };

  for (const heading of table.tHead.querySelectorAll("[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(heading));
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
  }
  const form = document.getElementById("filters");
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  form.hidden = false;
  filter();
})();
