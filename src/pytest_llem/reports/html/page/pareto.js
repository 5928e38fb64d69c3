// Energy per output token against speed. The front is picked among the points that are shown,
// and only within one series: same hardware, read in the same way.

const AXES = {
  tokens: { field: 3, title: "output tokens per second", better: "more", unit: "tokens/s" },
  ttft: { field: 4, title: "time to first token in s", better: "less", unit: "s" },
};
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "star"];

function pointsOf(places, field) {
  return places.flatMap((place) => {
    const point = DATA.experiments[place].point;
    if (!point || point[1] === null || point[field] === null) return [];
    return [{ place, series: point[0], energy: point[1], spread: point[2], x: point[field], counts: point[5] === 1 }];
  });
}

// Those that no other point of their series beats: less energy is better, and more or less x.
function frontOf(points, isMoreBetter) {
  const front = new Set();
  const bySeries = Map.groupBy ? Map.groupBy(points, (one) => one.series) : grouped(points);
  for (const all of bySeries.values()) {
    const found = all.filter((one) => one.counts);
    found.sort((a, b) => (isMoreBetter ? b.x - a.x : a.x - b.x) || a.energy - b.energy);
    let least = Infinity;
    let lastX = null;
    for (const one of found) {
      if (one.energy < least || (one.energy === least && one.x === lastX)) {
        front.add(one);
        least = one.energy;
        lastX = one.x;
      }
    }
  }
  return front;
}

function grouped(points) {
  const found = new Map();
  for (const one of points) found.set(one.series, [...(found.get(one.series) || []), one]);
  return found;
}

function shape(kind, x, y, size) {
  const s = size;
  const corners = {
    square: `M${x - s} ${y - s}h${2 * s}v${2 * s}h${-2 * s}z`,
    triangle: `M${x} ${y - 1.3 * s}l${1.2 * s} ${2.2 * s}h${-2.4 * s}z`,
    diamond: `M${x} ${y - 1.4 * s}l${1.4 * s} ${1.4 * s}l${-1.4 * s} ${1.4 * s}l${-1.4 * s} ${-1.4 * s}z`,
    cross: `M${x - s} ${y - s / 3}h${(2 * s) / 3}v${(-2 * s) / 3}h${(2 * s) / 3}v${(2 * s) / 3}h${(2 * s) / 3}v${(2 * s) / 3}h${(-2 * s) / 3}v${(2 * s) / 3}h${(-2 * s) / 3}v${(-2 * s) / 3}h${(-2 * s) / 3}z`,
    star: `M${x} ${y - 1.4 * s}l${0.5 * s} ${0.9 * s}l${0.9 * s} ${0.5 * s}l${-0.9 * s} ${0.5 * s}l${-0.5 * s} ${0.9 * s}l${-0.5 * s} ${-0.9 * s}l${-0.9 * s} ${-0.5 * s}l${0.9 * s} ${-0.5 * s}z`,
  };
  return kind === "circle" ? draw("circle", { class: "mark", cx: x, cy: y, r: s }) : draw("path", { class: "mark", d: corners[kind] });
}

function figureText(name, place) {
  const column = columnNamed(name);
  if (!column) return "";
  const text = column.cells[place][0].join("");
  return text === UNKNOWN ? "" : `${text} ${column.unit || column.title}`;
}

function described(place) {
  const one = DATA.experiments[place];
  const speeds = [figureText("tokens/s", place), figureText("ttft_s", place) && `${figureText("ttft_s", place)} to the first token`];
  return [one.name, `${one.estimated ? "estimated " : ""}${figureText("energy", place)}`, ...speeds].filter(Boolean).join(", ");
}

class Speed {
  constructor(element) {
    this.element = element;
    const field = filterField();
    this.input = field.input;
    this.axis = make("select", { id: "x-axis", onchange: () => go({ x: this.axis.value }) },
      make("option", { value: "tokens", text: "output tokens per second" }), make("option", { value: "ttft", text: "time to first token" }));
    this.log = make("input", { type: "checkbox", id: "linear", onchange: () => go({ log: this.log.checked ? "no" : "" }) });
    this.status = make("output", { "aria-live": "polite" });
    this.host = make("figure", { class: "panel" });
    this.table = make("div", {});
    element.replaceChildren(
      make("h1", { id: "speed-heading", tabindex: "-1", text: "Energy and speed" }),
      make("p", { class: "muted", text:
        "Each point is an experiment, with the 95 % interval of its energy. Filled points are those that no other one of the same hardware, read in the same way, beats in both. Only those are joined, and never across hardware." }),
      make("div", { class: "tools" }, field.label,
        make("label", { class: "label", for: "x-axis" }, make("span", { text: "against" }), this.axis),
        make("label", { class: "label", for: "linear" }, this.log, make("span", { text: "even steps instead of a logarithm" })), this.status),
      this.host, this.table);
    new ResizeObserver(() => {
      if (!element.hidden && Math.abs(this.host.clientWidth - (this.width || 0)) > 8) this.draw();
    }).observe(this.host);
  }

  render() {
    if (document.activeElement !== this.input) this.input.value = state.q;
    if (!AXES[state.x]) state.x = "tokens";
    this.axis.value = state.x;
    this.log.checked = state.log === "no";
    this.draw();
  }

  draw() {
    this.width = this.host.clientWidth;
    const kind = AXES[state.x];
    const points = pointsOf(shown(), kind.field);
    const front = frontOf(points, kind.better === "more");
    this.status.textContent = `${count(points.length, "point")}, ${front.size} of them not beaten`;
    this.host.replaceChildren();
    this.table.replaceChildren();
    if (!points.length) {
      this.host.append(make("p", { class: "muted", text: `No experiment that is shown has both an energy per output token and ${kind.title.replace(/ in s$/, "")}.` }));
      return;
    }
    this.host.append(this.picture(points, front, kind), this.keys(points), this.pointed());
    this.table.append(this.list(front));
  }

  picture(points, front, kind) {
    const width = Math.max(this.width - 34, 260);
    const height = Math.max(320, Math.min(560, width * 0.6));
    const frame = { left: 58, right: width - 14, top: 30, bottom: height - 48 };
    const isPositive = points.every((one) => one.x > 0 && one.energy > 0);
    const isLog = state.log !== "no" && isPositive;
    const xs = this.extent(points.map((one) => one.x), isLog);
    const ends = points.flatMap((one) => [one.energy, one.energy + (one.spread || 0), isLog ? Math.max(one.energy - (one.spread || 0), one.energy / 3) : one.energy - (one.spread || 0)]);
    const ys = this.extent(ends, isLog);
    const x = scale(...xs, frame.left, frame.right, isLog);
    const y = scale(...ys, frame.bottom, frame.top, isLog);
    const energies = columnNamed("energy");
    const parts = [axis(x, "bottom", frame, `${kind.title} (${kind.better} is better)`, width / 110), axis(y, "left", frame, "J per output token (less is better)", 6)];
    for (const series of new Set(points.map((one) => one.series))) {
      const line = [...front].filter((one) => one.series === series).sort((a, b) => a.x - b.x);
      if (line.length > 1) {
        parts.push(draw("polyline", { class: `front-line series-${series % 6}`, "data-series": series,
          points: line.map((one) => `${x(one.x).toFixed(1)},${y(one.energy).toFixed(1)}`).join(" ") }));
      }
    }
    const sorted = [...points].sort((a, b) => front.has(a) - front.has(b));
    for (const one of sorted) parts.push(this.point(one, front.has(one), x, y, ys[0], energies));
    return draw("svg", { class: "speed", width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
      "aria-label": `${count(points.length, "experiment")} by energy per output token and ${kind.title}; the table below lists those that are not beaten` }, parts);
  }

  extent(values, isLog) {
    const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    if (isLog) {
      const room = (high / low) ** 0.06 * 1.04;
      return [low / room, high * room];
    }
    const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
    return [Math.max(0, low - room) === 0 && low >= 0 ? 0 : low - room, high + room];
  }

  point(one, isFront, x, y, lowest) {
    const experiment = DATA.experiments[one.place];
    const [px, py] = [x(one.x), y(one.energy)];
    const parts = [];
    if (one.spread) {
      const low = y.logarithmic ? Math.max(one.energy - one.spread, lowest) : one.energy - one.spread;
      parts.push(draw("line", { class: "error", x1: px, x2: px, y1: y(low), y2: y(one.energy + one.spread) }));
    }
    parts.push(shape(SHAPES[one.series % SHAPES.length], px, py, isFront ? 5 : 4));
    const tell = () => { this.told.textContent = described(one.place); };
    const classes = ["point", `series-${one.series % 6}`, isFront ? "front" : "", one.counts ? "" : "faded"].filter(Boolean).join(" ");
    return draw("a", { class: classes, href: addressOf({ open: experiment.key }), "data-key": experiment.key, tabindex: isFront ? "0" : "-1",
      "aria-label": described(one.place), onpointerenter: tell, onfocus: tell }, parts, draw("title", { text: described(one.place) }));
  }

  keys(points) {
    const present = [...new Set(points.map((one) => one.series))].sort((a, b) => a - b);
    return make("ul", { class: "keys" }, present.map((series) => make("li", { class: `series-${series % 6}` },
      draw("svg", { width: 28, height: 14, "aria-hidden": "true" },
        draw("line", { class: "line", x1: 0, x2: 28, y1: 7, y2: 7 }), shape(SHAPES[series % SHAPES.length], 14, 7, 4.5)),
      DATA.series[series].label)));
  }

  pointed() {
    this.told = make("p", { class: "pointed muted small", "aria-hidden": "true", text: "Point at an experiment to read its figures; follow it to open it." });
    return this.told;
  }

  list(front) {
    const found = [...front].sort((a, b) => a.series - b.series || a.x - b.x);
    const names = [["energy", "energy"], ["tokens/s", "output tokens/s"], ["ttft_s", "TTFT"]].filter(([name]) => columnNamed(name));
    const heads = ["experiment", "hardware", ...names.map(([name, title]) => { const unit = columnNamed(name).unit; return unit && unit !== "tokens/s" ? `${title}, ${unit}` : title; })];
    const table = make("table", {}, make("caption", { text: "Not beaten by any other point of the same hardware" }),
      make("thead", {}, make("tr", {}, heads.map((text, place) => make("th", { scope: "col", class: place > 1 ? "number" : null, text })))),
      make("tbody", {}, found.map((one) => make("tr", { "data-key": DATA.experiments[one.place].key },
        make("th", { scope: "row" }, make("a", { href: addressOf({ open: DATA.experiments[one.place].key }), text: DATA.experiments[one.place].name })),
        make("td", { text: DATA.series[one.series].label }),
        names.map(([name]) => make("td", { class: "number", text: columnNamed(name).cells[one.place][0].join("") }))))));
    return scrolled("Experiments that are not beaten", table);
  }
}
