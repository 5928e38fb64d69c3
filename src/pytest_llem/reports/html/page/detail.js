// One experiment: how it was judged, what was measured, what was asked.

function figures(detail) {
  if (!detail.figures.length) return make("p", { class: "muted", text: "Nothing was measured." });
  return make("dl", { class: "tiles panel" }, detail.figures.map(([name, text, remark, isEstimate]) =>
    make("div", {}, make("dt", { text: name }), make("dd", { text }, remark ? make("small", { class: isEstimate ? "estimated" : null, text: remark }) : null))));
}

function judgedRows(one) {
  const of = one.measurement ? `${one.measurement}: ` : "";
  return [
    make("tr", {},
      make("th", { scope: "row", text: of + one.metric }),
      make("td", {}, chip(one.word, one.style)),
      make("td", { class: "number", text: one.before + (one.limit ? " (limit)" : "") }),
      make("td", { class: "number", text: one.now }),
      make("td", {}, make("span", { class: "changed" }, one.bar[0] === null ? null : bar(one.bar, one.style),
        make("span", { text: `${one.change} ${one.interval}`.trim() }))),
      make("td", { class: "number", text: one.tolerance || UNKNOWN }),
      make("td", { class: "number", text: one.least })),
    make("tr", { class: "why" }, make("td", { colspan: 7 }, make("p", { text: one.why }))),
  ];
}

function judged(detail) {
  if (!detail.judgements.length) return [];
  const heads = [["metric"], ["verdict"], ["baseline", 1], ["now", 1], ["change and interval"], ["tolerance", 1], ["could have shown", 1]];
  return [
    make("h2", { text: "Compared with the baseline" }),
    scrolled("Verdicts", make("table", { class: "judged" },
      make("caption", { class: "unseen", text: "Verdicts of this experiment, each with its explanation below it" }),
      make("thead", {}, make("tr", {}, heads.map(([text, isNumber]) => make("th", { scope: "col", class: isNumber ? "number" : null, text })))),
      make("tbody", {}, detail.judgements.flatMap(judgedRows)))),
  ];
}

function scrolled(label, table) {
  return make("div", { class: "scroll panel", role: "region", tabindex: "0", "aria-label": label }, table);
}

function windowsTable(measurement, title) {
  const heads = [["window", ""], ...measurement.head.map(([name, unit]) => (name ? [name, unit] : [unit, ""]))];
  const invalid = new Set(measurement.invalid);
  const last = heads.length - 1;
  const table = make("table", {},
    make("caption", { text: `${title}${measurement.estimated ? " (~ estimated energy)" : ""}${measurement.valid ? "" : ": invalid, its figures do not count"}` }),
    make("thead", {}, make("tr", {}, heads.map(([name, unit], place) =>
      make("th", { scope: "col", class: place && place !== last ? "number" : null, text: name }, unit ? make("span", { class: "unit", text: unit }) : null)))),
    make("tbody", {}, measurement.rows.map((row, place) =>
      make("tr", { class: invalid.has(place) ? "invalid" : null }, make("th", { scope: "row", text: measurement.windows[place] }),
        row.map((text, column) => make("td", { class: column !== row.length - 1 ? "number" : null, text }))))));
  return scrolled(`Windows of ${title}`, table);
}

function said(texts, name = "said") {
  return texts.length ? make("ul", { class: name }, texts.map((text) => make("li", { text }))) : null;
}

function measurementsOf(process, isOne) {
  const recorded = isOne ? [] : process.recorded.map((text) => `recorded by ${process.title}: ${text}`);
  return [...process.measurements.flatMap((measurement) => {
    const title = isOne ? measurement.name : `${process.title}, ${measurement.name}`;
    return [measurement.rows.length ? windowsTable(measurement, title) : null, said(measurement.said)];
  }), said(recorded)];
}

function warnings(detail) {
  const texts = detail.processes.flatMap((process) => process.measurements.flatMap((measurement) =>
    measurement.warnings.map((text) => (detail.processes.length > 1 ? `${process.title}: ${text}` : text))));
  return texts.length ? [make("h2", { text: "Warnings" }), said(texts, "said warned")] : [];
}

function asked(detail) {
  const table = make("table", {},
    make("caption", { class: "unseen", text: "Fields of the configuration, what was asked, and what the engine says took effect" }),
    make("thead", {}, make("tr", {}, ["field", "asked", "took effect"].map((text) => make("th", { scope: "col", text })))),
    make("tbody", {}, detail.asked.map(([field, wanted, effective, differs]) => make("tr", { class: differs ? "differs" : null },
      make("th", { scope: "row", text: field }), make("td", { text: wanted }),
      make("td", { text: differs ? `${effective} (differs)` : effective })))));
  return [make("h2", { text: "What was asked, and what took effect" }), scrolled("What was asked", table)];
}

function folded(title, entries) {
  if (!entries.length) return null;
  return make("details", {}, make("summary", { text: title }), pairs(entries));
}

class Detail {
  constructor(element) {
    this.element = element;
    this.key = "";
    this.cleanups = [];
  }

  close() {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.element.replaceChildren();
    this.key = "";
  }

  async open(key) {
    if (this.key === key) return;
    this.close();
    this.key = key;
    const one = DATA.experiments[PLACE.get(key)];
    const detail = await unpacked(one.detail);
    detail.processes.forEach((process, place) => { process.picture = detail.previews[place] || null; });
    if (this.key !== key) return;
    this.element.replaceChildren(...this.parts(one, detail).filter(Boolean));
    find("h1", this.element).focus({ preventScroll: true });
    scrollTo(0, 0);
    this.charts(detail);
    this.element.dataset.ready = key;
  }

  parts(one, detail) {
    const isOne = detail.processes.length === 1;
    return [
      this.path(),
      make("div", { class: "title" }, make("h1", { id: "experiment-heading", tabindex: "-1", text: one.name }), chip(one.word, one.style)),
      detail.message.length ? make("pre", { class: "message", tabindex: "0", text: detail.message.join("\n") }) : null,
      figures(detail),
      ...judged(detail),
      ...this.samplesPart(detail),
      ...this.timelinePart(detail),
      make("h2", { text: "Windows" }),
      ...detail.processes.flatMap((process) => measurementsOf(process, isOne)),
      ...warnings(detail),
      ...asked(detail),
      folded("What the engine says of itself", detail.engine),
      folded("Interpreter or container of its own", detail.elsewhere),
      folded("Where it comes from", [...detail.run, ["configuration hash", detail.hash]]),
    ];
  }

  path() {
    const places = ordered(shown());
    const place = places.indexOf(PLACE.get(this.key));
    const step = (by, text) => make("button", {
      type: "button", class: "plain", disabled: places[place + by] === undefined || place < 0, text,
      onclick: () => go({ open: DATA.experiments[places[place + by]].key }, true),
    });
    return make("div", { class: "path" },
      make("a", { href: addressOf({ open: "" }), text: state.view === "speed" ? "\u2190 Energy and speed" : "\u2190 All experiments" }),
      make("div", { class: "between" }, step(-1, "Previous"), step(1, "Next")));
  }

  samplesPart(detail) {
    this.samples = detail.samples.map((picture) => samplesFigure(picture, detail.judgements.length > 0));
    if (!this.samples.length) return [];
    return [make("h2", { text: "Samples" }), ...this.samples.map((one) => one.host)];
  }

  timelinePart(detail) {
    const measured = detail.processes.filter((process) => process.measurements.length || process.picture);
    this.figure = make("figure", { class: "panel", "data-timeline": "" });
    if (!measured.length) return [];
    const buttons = measured.map((process, place) => make("button", {
      type: "button", class: "plain", "aria-pressed": "false", text: process.title, onclick: () => this.showProcess(place),
    }));
    this.measured = measured;
    this.buttons = buttons;
    return [make("h2", { text: "Over time" }), buttons.length > 1 ? make("div", { class: "switch" }, buttons) : null, this.figure];
  }

  charts(detail) {
    const redraw = () => {
      for (const one of this.samples) {
        one.host.querySelector("svg")?.remove();
        one.show();
      }
      if (this.buttons) this.showProcess(this.place || 0);
    };
    this.place = 0;
    this.buttons = detail.processes.some((process) => process.measurements.length || process.picture) ? this.buttons : null;
    redraw();
    themed.push(redraw);
    let width = this.element.clientWidth;
    const observer = new ResizeObserver(() => {
      if (Math.abs(this.element.clientWidth - width) < 8) return;
      width = this.element.clientWidth;
      for (const one of this.samples) {
        one.host.querySelector("svg")?.remove();
        one.show();
      }
    });
    observer.observe(this.element);
    this.cleanups.push(() => {
      observer.disconnect();
      themed.splice(themed.indexOf(redraw), 1);
      this.drop?.();
      this.drop = null;
    });
  }

  showProcess(place) {
    this.place = place;
    this.drop?.();
    this.drop = null;
    this.figure.replaceChildren();
    this.buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === place)));
    const { picture, title } = this.measured[place];
    if (picture) this.drop = timeline(this.figure, picture, title);
    else {
      this.figure.append(make("p", { class: "muted", text:
        "There is no timeline: no preview of the raw data was kept with this result. \u201Cllem recompute\u201D makes those that are missing; then write the report again." }));
    }
  }
}
