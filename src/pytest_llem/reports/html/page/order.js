// The order of rows: by one column, unknown values last, as reported among equals.

const RANK = new Map(DATA.words.map(([word], place) => [word, place]));

function columnNamed(name) {
  return DATA.columns.find((column) => column.name === name);
}

// How bad: by verdict, and among those of one verdict by how much worse.
function severity(place) {
  const one = DATA.experiments[place];
  const change = one.change && one.change[0] !== null ? Math.max(-0.999, Math.min(9, one.change[0])) : 0;
  return RANK.get(one.word) * 10 - change;
}

function keysOf(name) {
  if (name === "experiment") return DATA.experiments.map((one) => one.name);
  const column = columnNamed(name);
  if (!column || column.kind === "verdict") return DATA.experiments.map((_, place) => severity(place));
  if (column.number) return column.values;
  return column.cells.map(([parts]) => parts.join(""));
}

function ordered(places) {
  const keys = keysOf(state.sort);
  const turn = state.dir === "down" ? -1 : 1;
  const compare = (a, b) => {
    if (keys[a] === null || keys[b] === null) return (keys[a] === null) - (keys[b] === null) || a - b;
    const by = typeof keys[a] === "number" ? keys[a] - keys[b] : keys[a].localeCompare(keys[b], "en", { numeric: true });
    return turn * by || a - b;
  };
  return [...places].sort(compare);
}
