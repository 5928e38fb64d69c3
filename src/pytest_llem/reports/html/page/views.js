// What is on the page: one view at a time.

const TABS = [["experiments", "Experiments"], ["speed", "Energy and speed"], ["about", "Run and machine"]];

class Views {
  constructor() {
    this.sections = Object.fromEntries([...document.querySelectorAll("[data-view]")].map((one) => [one.dataset.view, one]));
    this.tabs = find("[data-tabs]");
    this.table = new Table();
    this.detail = new Detail(this.sections.experiment);
    this.chips = chips();
    const field = filterField();
    this.input = field.input;
    this.choice = columnChoice();
    this.sections.experiments.append(...summary().filter(Boolean), this.chips,
      make("div", { class: "tools" }, field.label, this.choice.choice, this.table.status), this.table.element);
    this.before = null;
  }

  render() {
    const view = state.open ? "experiment" : state.view;
    for (const [name, section] of Object.entries(this.sections)) section.hidden = name !== view;
    this.tabs.replaceChildren(...TABS.map(([name, text]) => make("li", {}, make("a", {
      href: addressOf({ view: name, open: "" }), "aria-current": state.view === name && !state.open ? "page" : null, text,
    }))));
    if (state.open) this.detail.open(state.open);
    else if (this.detail.key) this.detail.close();
    if (view === "experiments") this.renderTable();
    if (view === "speed") this.renderSpeed();
    if (view === "about" && !this.sections.about.dataset.ready) environment(this.sections.about);
    this.moved(view);
  }

  renderTable() {
    if (document.activeElement !== this.input) this.input.value = state.q;
    showPicked(this.chips);
    this.choice.show();
    this.table.render();
  }

  renderSpeed() {
    this.speed ??= new Speed(this.sections.speed);
    this.speed.render();
  }

  // Whoever changes the view by keyboard goes on where the new one begins, or where they were.
  moved(view) {
    if (this.before !== null && this.before.view !== view && view !== "experiment") {
      const link = this.before.open && view === "experiments" && find(`tr[data-key="${CSS.escape(this.before.open)}"] a`);
      if (link) link.focus();
      else find("h1", this.sections[view])?.focus({ preventScroll: true });
      if (!link) scrollTo(0, 0);
    }
    this.before = { view, open: state.open };
  }
}
