// The table of experiments. Rows are made when the page has time, a part at a time.

const PART = 100;
const FIGURE = "\u2007";
const POINT = "\u2008";

// Parts of a cell filled up, so that decimal points and signs stand below each other.
function aligned(column) {
  const widths = [];
  for (const [parts, isAligned] of column.cells) {
    if (isAligned) parts.forEach((part, index) => { widths[index] = Math.max(widths[index] || 0, part.length); });
  }
  const most = Math.max(0, ...column.cells.map(([parts]) => parts.join("").length));
  if (widths.reduce((sum, width) => sum + width, 0) > most + 6) return column.cells.map(([parts]) => parts.join(""));
  return column.cells.map(([parts, isAligned]) => {
    if (!isAligned) return parts.join("");
    return widths.map((width, index) => {
      const part = parts[index] || "";
      const room = width - part.length;
      if (room <= 0) return part;
      if (column.right[index]) return FIGURE.repeat(room) + part;
      if (index === 1 || index === 4) return part + (part ? "" : POINT) + FIGURE.repeat(part ? room : room - 1);
      return part;
    }).join("");
  });
}

function headOf(name, title, unit, isNumber) {
  const arrow = make("span", { class: "arrow", "aria-hidden": "true" });
  const names = isNumber ? [arrow, title] : [title, arrow];
  const button = make("button", { type: "button", "data-sort": name, onclick: () => sortBy(name) },
    names, unit ? make("span", { class: "unit", text: unit }) : null);
  return make("th", { scope: "col", class: isNumber ? "number" : null }, button);
}

// Worst first for verdicts; a second time turns the order round.
function sortBy(name) {
  const current = state.sort || "verdict";
  const dir = current === name && state.dir !== "down" ? "down" : "";
  go({ sort: name === "verdict" && !dir ? "" : name, dir });
}

function rowOf(place, columns, texts) {
  const one = DATA.experiments[place];
  const link = make("a", { href: addressOf({ open: one.key }), text: one.label });
  const cells = columns.map((column) => cellOf(column, place, texts(column)[place], one));
  return make("tr", { "data-key": one.key, onclick: (event) => openBy(event, one.key) },
    make("th", { scope: "row", title: one.name }, link, make("span", { text: one.group })), cells);
}

function cellOf(column, place, text, one) {
  const isFaded = column.cells[place][2];
  if (column.kind === "verdict") {
    const rest = text.startsWith(one.word) ? text.slice(one.word.length).trim() : "";
    return make("td", {}, chip(one.word, one.style), rest ? make("span", { class: "of", text: rest }) : null);
  }
  if (column.kind === "change") {
    const isKnown = one.change && (one.change[0] !== null || one.change[1] !== null);
    return make("td", {}, make("span", { class: "changed" }, isKnown ? bar(one.change, one.style) : null, make("span", { text })));
  }
  return make("td", { class: [column.number ? "number" : "", isFaded ? "dim" : ""].join(" ").trim() || null, text });
}

function openBy(event, key) {
  if (event.target.closest("a") || getSelection().toString()) return;
  go({ open: key }, true);
}

function moveFocus(event, body) {
  const links = [...body.querySelectorAll("th a")];
  const place = links.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (place < 0 || !step) return;
  event.preventDefault();
  links[Math.max(0, Math.min(links.length - 1, place + step))].focus();
}

class Table {
  constructor() {
    this.aligned = new Map();
    this.rows = new Map();
    this.work = 0;
    this.done = Promise.resolve();
    this.body = make("tbody", { onkeydown: (event) => moveFocus(event, this.body) });
    this.head = make("tr");
    this.heads = [];
    const caption = make("caption", { class: "unseen", text:
      "Experiments of this run. Buttons in the head sort by a column; the name of an experiment opens it." });
    const table = make("table", { class: "experiments", "aria-rowcount": DATA.experiments.length + 1 },
      caption, make("thead", {}, this.head), this.body);
    this.element = make("div", { class: "scroll panel", role: "region", tabindex: "0", "aria-label": "Experiments" }, table);
    this.status = make("output", { "aria-live": "polite" });
  }

  texts(column) {
    if (!this.aligned.has(column)) this.aligned.set(column, aligned(column));
    return this.aligned.get(column);
  }

  // Heads, and rows to come, are of the columns that are shown.
  choose() {
    const columns = shownColumns();
    if (this.columns && columns.length === this.columns.length && columns.every((one, place) => one === this.columns[place])) return;
    this.columns = columns;
    this.rows.clear();
    this.heads = [headOf("experiment", "experiment", "", false),
      ...columns.map((column) => headOf(column.name, column.title, column.unit, column.number && !column.kind))];
    this.head.replaceChildren(...this.heads);
  }

  render() {
    this.choose();
    const places = ordered(shown());
    const all = DATA.experiments.length;
    this.status.textContent = places.length === all ? count(all, "experiment") : `${places.length} of ${count(all, "experiment")}`;
    for (const head of this.heads) {
      const isSorted = find("button", head).dataset.sort === (state.sort || "verdict") && DATA.columns.length > 0;
      const way = state.dir === "down" ? "descending" : "ascending";
      if (isSorted) head.setAttribute("aria-sort", way);
      else head.removeAttribute("aria-sort");
      find(".arrow", head).textContent = isSorted ? (state.dir === "down" ? "\u2193" : "\u2191") : "";
    }
    this.body.replaceChildren();
    if (!places.length) this.body.append(this.empty());
    this.fillFrom(places, 0, ++this.work);
  }

  // The first part at once, the others between what else the page has to do. Each is as long as
  // all before it, since every one of them has the whole table laid out anew.
  fillFrom(places, start, work) {
    if (work !== this.work) return;
    const end = start + Math.max(PART, start);
    this.body.append(...places.slice(start, end).map((place) => this.row(place)));
    this.body.dataset.complete = String(end >= places.length);
    if (end < places.length) setTimeout(() => this.fillFrom(places, end, work));
  }

  row(place) {
    if (!this.rows.has(place)) this.rows.set(place, rowOf(place, this.columns, (column) => this.texts(column)));
    const row = this.rows.get(place);
    find("th a", row).href = addressOf({ open: DATA.experiments[place].key });
    return row;
  }

  empty() {
    const text = DATA.experiments.length ? "No experiment fits this filter." : "No experiment was reported.";
    return make("tr", { class: "empty" }, make("td", { colspan: this.columns.length + 1, text }));
  }
}
