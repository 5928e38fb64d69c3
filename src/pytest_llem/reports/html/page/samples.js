// The samples that a comparison rests on: a row a process, the baseline's above this run's.

function spread(values, low, room) {
  // Values that would lie on each other step aside, in turn.
  const taken = new Map();
  return values.map((value) => {
    const place = Math.round(value / 4);
    const turn = taken.get(place) || 0;
    taken.set(place, turn + 1);
    const step = Math.ceil(turn / 2) * (turn % 2 ? 1 : -1);
    return low + Math.max(-room, Math.min(room, step * 3.5));
  });
}

function sampleRows(picture) {
  const rows = [];
  for (const [label, values] of picture.before) rows.push({ label, values, kind: "before" });
  for (const [label, values] of picture.now) rows.push({ label, values, kind: "now" });
  return rows;
}

function samples(host, picture) {
  const width = Math.max(host.clientWidth - 34, 260);
  const rows = sampleRows(picture);
  const all = rows.flatMap((row) => row.values);
  const [least, most] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const room = (most - least) * 0.08 || Math.abs(most) * 0.05 || 1;
  const narrow = width < 520;
  const frame = { left: narrow ? 8 : 200, right: width - 16, top: 8, bottom: 8 };
  const high = narrow ? 44 : 30;
  const groups = rows.filter((row, place) => place === 0 || rows[place - 1].kind !== row.kind).length;
  frame.bottom = frame.top + rows.length * high + groups * 24;
  const at = scale(least - room, most + room, frame.left, frame.right, false);
  const parts = [axis(at, "bottom", frame, `${picture.metric} in ${picture.unit || "1"}`, width / 110)];
  let y = frame.top;
  rows.forEach((row, place) => {
    if (place === 0 || rows[place - 1].kind !== row.kind) {
      parts.push(draw("text", { class: "strong", x: 0, y: y + 16, text: row.kind === "before" ? "baseline" : "this run" }));
      y += 24;
    }
    const middle = y + high / 2 + (narrow ? 9 : 0);
    const name = row.label + (row.values.length === 1 ? ", one value" : "");
    parts.push(draw("text", { x: narrow ? 8 : 12, y: narrow ? y + 14 : middle + 4, text: name }));
    const xs = row.values.map(at);
    const ys = spread(xs, middle, high / 2 - 5);
    xs.forEach((x, index) => parts.push(draw("circle", { class: row.kind, cx: x, cy: ys[index], r: 4 })));
    y += high;
  });
  const told = `${picture.metric}: ${count(picture.now.length, "process")}`.replace("processs", "processes");
  const against = picture.before.length ? ` beside ${picture.before.length} of the baseline` : "";
  host.append(draw("svg", {
    class: "samples", width, height: frame.bottom + 46, viewBox: `0 0 ${width} ${frame.bottom + 46}`, role: "img",
    "aria-label": `${told}${against}. The table of windows has the figures of this run.`,
  }, parts));
}

function samplesFigure(picture, isJudged) {
  const host = make("figure", { class: "panel", "data-samples": picture.metric });
  const mark = picture.estimated ? "~ Estimates, not measurements. " : "";
  const what = picture.before.length
    ? "Each point is a window of a process, or its one value; open points are the baseline's."
    : isJudged
      ? "Each point is a window of a process, or its one value. The samples of the baseline were not kept with this run."
      : "Each point is a window of a process, or its one value. It was compared with no baseline.";
  host.append(make("figcaption", { text: mark + what }));
  return { host, show: () => samples(host, picture) };
}
