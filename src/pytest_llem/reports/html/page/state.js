// What is looked at, kept in the address: a link shows somebody else the same.

const VIEWS = ["experiments", "speed", "about"];
const DEFAULTS = { view: "experiments", open: "", sort: "", dir: "", q: "", words: "", columns: "", x: "tokens", log: "" };
const state = { ...DEFAULTS };
const listeners = [];
let own = null;

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) state[name] = given.get(name) ?? DEFAULTS[name];
  if (!VIEWS.includes(state.view)) state.view = DEFAULTS.view;
  if (!PLACE.has(state.open)) state.open = "";
}

function addressOf(changes) {
  const wanted = { ...state, ...changes };
  const given = new URLSearchParams();
  for (const name of Object.keys(DEFAULTS)) {
    if (wanted[name] !== DEFAULTS[name]) given.set(name, wanted[name]);
  }
  return "#" + given.toString();
}

// Look at something else. What one goes back from gets an entry of its own in the history.
function go(changes, isStep = false) {
  const address = addressOf(changes);
  own = address;
  if (isStep) location.hash = address;
  else location.replace(address);
  readFrom(address);
}

function readFrom() {
  readAddress();
  for (const listener of listeners) listener();
}

window.addEventListener("hashchange", () => {
  if (own !== null && (location.hash || "#") === own) {
    own = null;
    return;
  }
  own = null;
  readFrom();
});
