// Which columns the table has: those of the report, and what somebody turned on or off.

function turned() {
  return new Set(state.columns.split(",").filter((name) => NAMED.has(name)));
}

function isShown(column, changed) {
  return column.shown !== changed.has(column.name);
}

function shownColumns() {
  const changed = turned();
  return DATA.columns.filter((column) => isShown(column, changed));
}

function turn(name) {
  const changed = turned();
  if (!changed.delete(name)) changed.add(name);
  go({ columns: [...changed].join(",") });
}

function columnChoice() {
  const boxes = DATA.columns.map((column) => {
    const box = make("input", { type: "checkbox", "data-column": column.name, onchange: () => turn(column.name) });
    return make("label", { class: "label" }, box, make("span", {}, column.title, column.unit ? make("span", { class: "muted", text: ` ${column.unit}` }) : null));
  });
  const choice = make("details", { class: "choice", onkeydown: (event) => { if (event.key === "Escape") fold(true); } },
    make("summary", { class: "plain", text: "Columns" }),
    make("fieldset", { class: "panel" }, make("legend", { class: "unseen", text: "Columns of the table" }), boxes));
  const fold = (isByKey) => {
    choice.open = false;
    if (isByKey) find("summary", choice).focus();
  };
  document.addEventListener("click", (event) => { if (!choice.contains(event.target)) fold(false); });
  const show = () => {
    const changed = turned();
    for (const box of choice.querySelectorAll("input")) box.checked = isShown(NAMED.get(box.dataset.column), changed);
  };
  return { choice, show };
}
