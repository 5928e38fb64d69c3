// What charts have in common: signs of verdicts, bars of change, frames.

const SIGNS = {
  regressed: "\u25B2", failed: "\u2715", error: "\u2715", crashed: "\u2715", "timed out": "\u2715", invalid: "!",
  inconclusive: "?", incomparable: "\u2260", skipped: "\u2013", new: "+", improved: "\u25BC", pass: "\u2713",
};

function tone(style) {
  return "tone-" + (["red", "yellow", "cyan", "green"].includes(style) ? style : "grey");
}

function chip(word, style, text = word) {
  return make("span", { class: `chip ${tone(style)}` },
    make("span", { class: "sign", "aria-hidden": "true", text: SIGNS[word] || "\u00B7" }), text);
}

const BAR = { width: 104, height: 18, edge: 8 };

// How far bars reach: as far as most intervals, so that one outlier does not flatten all others.
const REACH = (() => {
  const ends = DATA.experiments.flatMap((one) => (one.change || []).filter((value) => value !== null)).map(Math.abs);
  ends.sort((a, b) => a - b);
  return Math.max(0.02, ends[Math.floor(ends.length * 0.9)] || 0);
})();

// A change as a point on its interval, around a line at no change.
function bar([change, low, high], style, reach = REACH) {
  const middle = BAR.width / 2;
  const half = middle - BAR.edge;
  const at = (value) => middle + Math.max(-1, Math.min(1, value / reach)) * half;
  const y = BAR.height / 2;
  const parts = [draw("line", { class: "zero", x1: middle, x2: middle, y1: 1, y2: BAR.height - 1 })];
  if (low !== null && high !== null) {
    parts.push(draw("line", { class: "reach", x1: at(low), x2: Math.max(at(high), at(low) + 0.1), y1: y, y2: y }));
    if (high > reach) parts.push(draw("path", { class: "beyond", d: `M${BAR.width - 7} ${y - 4}l6 4l-6 4z` }));
    if (low < -reach) parts.push(draw("path", { class: "beyond", d: `M7 ${y - 4}l-6 4l6 4z` }));
  }
  if (change !== null) parts.push(draw("circle", { class: "at", cx: at(change), cy: y, r: 4 }));
  return draw("svg", {
    class: `bar ${tone(style)}`, width: BAR.width, height: BAR.height,
    viewBox: `0 0 ${BAR.width} ${BAR.height}`, "aria-hidden": "true", focusable: "false",
  }, parts);
}

// An axis along the bottom or the left of a frame, with its rules.
function axis(at, side, frame, title, about) {
  const { at: places, label } = scaleTicks(at, about);
  let last = -Infinity;
  const parts = places.map((value) => {
    const place = at(value);
    const room = 7 * label(value).length + 8;
    if (side === "bottom" && place - last < room) return [];
    last = place;
    if (side === "bottom") {
      return [draw("line", { class: "rule", x1: place, x2: place, y1: frame.top, y2: frame.bottom }),
        draw("text", { x: place, y: frame.bottom + 17, "text-anchor": "middle", text: label(value) })];
    }
    return [draw("line", { class: "rule", x1: frame.left, x2: frame.right, y1: place, y2: place }),
      draw("text", { x: frame.left - 8, y: place + 4, "text-anchor": "end", text: label(value) })];
  });
  const name = side === "bottom"
    ? draw("text", { x: (frame.left + frame.right) / 2, y: frame.bottom + 38, "text-anchor": "middle", text: title })
    : draw("text", { x: 0, y: 14, text: title });
  return draw("g", { "aria-hidden": "true" }, parts.flat(), name);
}
