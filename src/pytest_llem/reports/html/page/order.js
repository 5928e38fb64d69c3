// The order of rows: by one column, unknown values last, as reported among equals.

const RANK = new Map(DATA.words.map(([word], place) => [word, place]));

const NAMED = new Map(DATA.columns.map((column) => [column.name, column]));

function columnNamed(name) {
  return NAMED.get(name);
}

// How bad: by verdict, and among those of one verdict as the terminal has them.
function severity(place) {
  const one = DATA.experiments[place];
  return RANK.get(one.word) * DATA.experiments.length + one.rank;
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
