// Which experiments are shown: all words of a text, and verdicts that were picked.

const HAYSTACK = DATA.experiments.map((one) =>
  `${one.name} ${one.group} ${one.label} ${one.words} ${one.word}`.toLowerCase());

function pickedWords() {
  return new Set(state.words ? state.words.split(",") : []);
}

function shown() {
  const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const words = pickedWords();
  return DATA.experiments.flatMap((one, place) => {
    const fits = (!words.size || words.has(one.word)) && wanted.every((each) => HAYSTACK[place].includes(each));
    return fits ? [place] : [];
  });
}

function chips() {
  const picked = pickedWords();
  return make("ul", { class: "chips", "aria-label": "Show only these verdicts" }, DATA.words.map(([word, number, style]) => {
    const toggle = () => {
      const words = pickedWords();
      if (!words.delete(word)) words.add(word);
      go({ words: [...words].join(",") });
    };
    return make("li", {}, make("button", {
      type: "button", class: `chip ${tone(style)}`, "data-word": word, "aria-pressed": String(picked.has(word)), onclick: toggle,
    }, make("span", { class: "sign", "aria-hidden": "true", text: SIGNS[word] || "\u00B7" }), make("b", { text: number }), word));
  }));
}

function showPicked(list) {
  const picked = pickedWords();
  for (const button of list.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(picked.has(button.dataset.word)));
  }
}

let fields = 0;

function filterField() {
  const id = `filter-${fields++}`;
  const input = make("input", {
    class: "field", id, type: "search", autocomplete: "off", spellcheck: "false",
    placeholder: "name, model, engine, verdict", oninput: () => go({ q: input.value }),
  });
  return { input, label: make("label", { class: "label", for: id }, make("span", { text: "Filter" }), input) };
}
