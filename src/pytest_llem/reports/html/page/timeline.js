// Power over time with what was measured when, and temperature and clocks below it.

const HEIGHTS = { power: 230, other: 120 };
const KINDS = { whole: "key-whole", prefill: "key-prefill", length: "key-length" };
const BANDS = { whole: "band", prefill: "band-prefill", length: "band-length" };

function isEstimate(device) {
  return device.method === "estimated";
}

function courses(devices, name) {
  return devices.flatMap((device) => {
    if (!device[name]) return [];
    const { times, values, unit } = device[name];
    return [{ device, times: summed(times, 1e-4), values: summed(values, unit) }];
  });
}

function joined(found) {
  return uPlot.join(found.map((one) => [one.times, one.values]), found.map(() => [2]));
}

function paths(device) {
  return device.power_from === "counter" ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear();
}

function nameOf(device, devices) {
  const alike = devices.filter((other) => other.name === device.name);
  const number = alike.length > 1 ? ` ${alike.indexOf(device) + 1}` : "";
  return `${isEstimate(device) ? "~ estimated: " : ""}${device.name}${number}`;
}

function unitTicks(unit) {
  return (_, splits) => splits.map((value) => (value === null ? "" : `${short(value)}${unit}`));
}

function chartAxis(side, values, grid = true) {
  const line = { stroke: colour("line"), width: 1 };
  return { stroke: colour("muted"), grid: { show: grid, ...line }, ticks: { show: false }, values, side, size: side === 3 ? 62 : 34,
    font: "12px system-ui, sans-serif" };
}

function plot(host, found, devices, options) {
  const series = found.map((one, place) => ({
    label: nameOf(one.device, devices), stroke: colour(`series-${place % 6}`), width: 1.4, spanGaps: false,
    dash: place >= 6 ? [6, 3] : undefined, points: { show: false }, paths: options.isPower ? paths(one.device) : uPlot.paths.linear(),
    value: (_, value) => (value === null || value === undefined ? UNKNOWN : `${isEstimate(one.device) && options.isPower ? "~" : ""}${short4(value)} ${options.unit}`),
  }));
  const chart = new uPlot({
    width: Math.max(host.clientWidth, 200), height: options.height, cursor: { sync: { key: options.key }, y: false },
    legend: { live: true }, scales: { x: { time: false, range: options.range }, y: { range: options.y } },
    axes: [chartAxis(2, unitTicks(" s"), false), chartAxis(3, unitTicks(` ${options.unit}`))],
    series: [{ label: "time", value: (_, value) => (value === null || value === undefined ? UNKNOWN : `${value.toFixed(3)} s`) }, ...series],
    hooks: { drawClear: [options.below || (() => {})] },
  }, joined(found), host);
  return chart;
}

function short4(value) {
  return String(Number(value.toPrecision(4))).replace("-", MINUS);
}

function fromZero(_, low, high) {
  return [Math.min(0, low ?? 0), (high || 1) * 1.32];
}

function around(_, low, high) {
  const room = Math.max((high - low) * 0.15, Math.abs(high) * 0.02, 1);
  return [low - room, high + room];
}

// Bands for the warm-up and the windows, phases within passes, and ticks of the counter.
function painter(picture) {
  return (chart) => {
    const { ctx, bbox } = chart;
    const x = (us) => chart.valToPos(us / 1e6, "x", true);
    const clip = (from, to) => [Math.max(from, bbox.left), Math.min(to, bbox.left + bbox.width)];
    const ratio = devicePixelRatio || 1;
    const rect = (from, to, top, height, style) => {
      const [left, right] = clip(x(from), x(to));
      if (right <= left) return;
      ctx.fillStyle = style;
      ctx.fillRect(left, top, Math.max(right - left, 1), height);
    };
    ctx.save();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    const colours = { prefill: colour("prefill"), decode: colour("decode"), muted: colour("muted") };
    const label = (from, to, text) => {
      const [left, right] = clip(x(from), x(to));
      const fitting = [text, text.replace(/^\D+ /, "")].find((each) => ctx.measureText(each).width + 4 * ratio < right - left);
      if (!fitting) return;
      ctx.fillStyle = colours.muted;
      ctx.fillText(fitting, (left + right) / 2, bbox.top + 21 * ratio);
    };
    for (const measurement of picture.measurements) {
      if (measurement.warm_up_us) {
        rect(...measurement.warm_up_us, bbox.top, bbox.height, colour("band-warm"));
        label(...measurement.warm_up_us, "warm-up");
      }
      for (const { phase, index, start_us: start, end_us: end, edges } of measurement.windows) {
        rect(start, end, bbox.top, bbox.height, colour(BANDS[phase] || "band"));
        label(start, end, phase === "whole" ? `window ${index + 1}` : `${phase} ${index + 1}`);
        const stamps = summed(edges);
        for (let place = 0; place < stamps.length; place += 3) {
          const [from, prefilled, to] = stamps.slice(place, place + 3);
          if (prefilled === null) continue;
          rect(from, prefilled, bbox.top, 5 * ratio, colours.prefill);
          rect(prefilled, to, bbox.top + 5 * ratio * 0.2, 5 * ratio * 0.6, colours.decode);
        }
      }
    }
    ctx.strokeStyle = colours.muted;
    ctx.lineWidth = ratio;
    ctx.beginPath();
    for (const device of picture.devices) {
      for (const second of summed(device.ticked, 1e-4)) {
        const place = chart.valToPos(second, "x", true);
        if (place < bbox.left || place > bbox.left + bbox.width) continue;
        ctx.moveTo(place, bbox.top + bbox.height);
        ctx.lineTo(place, bbox.top + bbox.height - 6 * ratio);
      }
    }
    ctx.stroke();
    ctx.restore();
  };
}

function key(name, text, isLine = false) {
  const sign = isLine
    ? draw("line", { class: name, x1: 6, x2: 6, y1: 2, y2: 12 })
    : draw("rect", { class: name, x: 0.5, y: 2.5, width: 11, height: 9 });
  return make("li", {}, draw("svg", { width: 12, height: 14, "aria-hidden": "true" }, sign), text);
}

function keys(picture) {
  const windows = picture.measurements.flatMap((one) => one.windows);
  const phases = new Set(windows.map((each) => each.phase));
  const found = [];
  if (picture.measurements.some((one) => one.warm_up_us)) found.push(key("key-warm", "warm-up"));
  if (phases.has("whole")) found.push(key(KINDS.whole, "window"));
  if (phases.has("prefill")) found.push(key(KINDS.prefill, "prefill-only window"));
  if (phases.has("length")) found.push(key(KINDS.length, "window at another length"));
  const drawn = windows.filter(({ edges }) => edges.some((edge, place) => place % 3 === 1 && edge !== null));
  if (drawn.length) {
    const isPart = drawn.some(({ passes, edges }) => edges.length / 3 < passes);
    const which = isPart ? " of the first passes of a window" : "";
    found.push(key("key-in-prefill", `prefill${which}`), key("key-in-decode", `decode${which}`));
  }
  const ticked = picture.devices.reduce((sum, device) => sum + device.ticks, 0);
  const shownTicks = picture.devices.reduce((sum, device) => sum + device.ticked.length, 0);
  if (ticked) {
    const which = shownTicks < ticked ? `, ${shownTicks} of ${ticked} drawn` : "";
    found.push(key("key-tick", `${whatRose(picture.devices)} rose${which}`, true));
  }
  return make("ul", { class: "keys" }, found);
}

function whatRose(devices) {
  const ticking = devices.filter((device) => device.ticks);
  if (ticking.every(isEstimate)) return "the estimate";
  return ticking.some(isEstimate) ? "an energy counter or an estimate" : "the energy counter";
}

function howRead(picture) {
  const { devices } = picture;
  const said = ["Few points stand for many readings: of each stretch the lowest and the highest."];
  if (devices.some((device) => device.power_from === "counter")) {
    said.push(devices.some((device) => isEstimate(device))
      ? "~ The power is an estimate, not a measurement: estimated energy over time."
      : "Power was not read; drawn is the energy counter's rise over time.");
  } else if (devices.some((device) => isEstimate(device))) said.push("~ The power is an estimate, not a measurement.");
  said.push("Drag to look closer, double-click for all. The table of windows below has the figures.");
  return said.join(" ");
}

// Draws into host, which is on the page already; gives back what takes the charts away.
function timeline(host, picture, name) {
  const power = courses(picture.devices, "power_w");
  const others = [["temperature_c", "temperature", "\u00B0C"], ["sm_clock_mhz", "SM clock", "MHz"]];
  const stamps = [...power.flatMap((one) => one.times), ...picture.measurements.flatMap((one) =>
    [...(one.warm_up_us || []), ...one.windows.flatMap((each) => [each.start_us, each.end_us])].map((us) => us / 1e6))];
  const last = stamps.reduce((most, value) => Math.max(most, value), 0);
  const sync = `timeline ${name}`;
  const range = (chart, low, high) => (low === null || low === high ? [0, last || 1] : [low, high]);
  const charts = [];
  const one = (title, found, options) => {
    const chartHost = make("div", { role: "img", "aria-label": `${title} over time, ${name}. The table of windows has the figures.` });
    host.append(make("p", { class: "chart-title", text: title }), chartHost);
    charts.push([chartHost, plot(chartHost, found, picture.devices, { key: sync, range, ...options })]);
  };
  if (power.length) {
    const anyEstimate = power.some((each) => isEstimate(each.device));
    one(anyEstimate ? "~ estimated power" : "power", power,
      { unit: "W", height: HEIGHTS.power, isPower: true, y: fromZero, below: painter(picture) });
  } else host.append(make("p", { class: "muted", text: "No power is known of this process." }));
  for (const [kind, title, unit] of others) {
    const found = courses(picture.devices, kind);
    if (found.length) one(title, found, { unit, height: HEIGHTS.other, y: around });
  }
  host.append(keys(picture), make("figcaption", { text: howRead(picture) }));
  const observer = new ResizeObserver(() => {
    for (const [chartHost, chart] of charts) {
      const width = Math.max(chartHost.clientWidth, 200);
      if (width !== chart.width) chart.setSize({ width, height: chart.height });
    }
  });
  observer.observe(host);
  return () => {
    observer.disconnect();
    for (const [, chart] of charts) chart.destroy();
  };
}
