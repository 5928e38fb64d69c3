// Numbers along axes. Figures come as texts, written where the terminal's are.

const MINUS = "\u2212";
const UNKNOWN = "\u2013";

function written(value, places) {
  const text = Math.abs(value).toFixed(places);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

// Round values that cut the way from low to high into about so many parts.
function ticks(low, high, about) {
  const rough = (high - low) / Math.max(about, 1);
  if (!(rough > 0)) return { at: [low], label: (value) => short(value) };
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const at = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) at.push(index * step);
  return { at, label: (value) => written(value, places) };
}

function short(value) {
  return String(Number(value.toPrecision(3))).replace("-", MINUS);
}

// A scale from values to pixels, by the logarithm if it is asked for.
function scale(low, high, from, to, logarithmic) {
  const by = logarithmic ? Math.log10 : (value) => value;
  const [start, end] = [by(low), by(high)];
  const width = end - start || 1;
  const at = (value) => from + ((by(value) - start) / width) * (to - from);
  return Object.assign(at, { low, high, logarithmic });
}

function scaleTicks(at, about) {
  if (!at.logarithmic) return ticks(at.low, at.high, about);
  if (at.high / at.low < 12) return ticks(at.low, at.high, about);
  const found = [];
  const decades = Math.log10(at.high) - Math.log10(at.low);
  const parts = decades > 4 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 3, 5, 7];
  for (let power = Math.floor(Math.log10(at.low)); power <= Math.ceil(Math.log10(at.high)); power++) {
    for (const part of parts) {
      const value = part * 10 ** power;
      if (value >= at.low * 0.999999 && value <= at.high * 1.000001) found.push(value);
    }
  }
  return found.length < 2 ? ticks(at.low, at.high, about) : { at: found, label: short };
}
