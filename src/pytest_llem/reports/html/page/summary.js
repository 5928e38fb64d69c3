// The head of the first view: did anything get worse, and why.

const RED = ["failed", "error", "crashed", "timed out"];
const MOST_REASONS = 3;

function headline() {
  const counts = Object.fromEntries(DATA.words.map(([word, number]) => [word, number]));
  const all = DATA.experiments.length;
  const of = `of ${count(all, "experiment")}`;
  const broken = RED.reduce((sum, word) => sum + (counts[word] || 0), 0);
  const unsure = (counts.inconclusive || 0) + (counts.incomparable || 0) + (counts.invalid || 0);
  const said = [];
  if (counts.regressed) said.push(`${counts.regressed} ${of} got worse`);
  if (broken) said.push(`${broken} ${said.length ? "" : of + " "}failed`);
  if (!all) return "No experiment was reported";
  if (said.length) return said.join(", ");
  if (unsure) return `Nothing surely got worse; ${unsure} ${of} cannot be told`;
  if (counts.pass || counts.improved) return `Nothing got worse in ${count(all, "experiment")}`;
  return `${count(all, "experiment")} measured, nothing to compare with`;
}

function reasons() {
  const places = [...DATA.experiments.keys()].filter((place) => DATA.experiments[place].why);
  const failing = places.sort((a, b) => severity(a) - severity(b) || a - b).map((place) => DATA.experiments[place]);
  if (!failing.length) return null;
  const items = failing.slice(0, MOST_REASONS).map((one) => make("li", {},
    make("div", { class: "row" }, chip(one.word, one.style), make("a", { href: addressOf({ open: one.key }), text: one.name }),
      one.change && one.change[0] !== null ? bar(one.change, one.style) : null),
    make("p", { text: one.why })));
  const rest = failing.length - items.length;
  if (rest > 0) items.push(make("li", { class: "muted", text: `and ${rest} more, at the top of the table` }));
  return make("ul", { class: "worst panel" }, items);
}

function summary() {
  return [
    make("h1", { id: "headline", tabindex: "-1", text: headline() }),
    make("div", { class: "facts" }, DATA.head.map((text) => make("p", { text }))),
    ...DATA.caveats.map((text) => make("p", { class: "notice", text })),
    reasons(),
  ];
}
