// What the page was given: rows at once, details once they are asked for.

const DATA = JSON.parse(find("#data").textContent);
const PLACE = new Map(DATA.experiments.map((experiment, place) => [experiment.key, place]));

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// Whole-number steps, each from the known value before it; null is unknown.
function summed(steps, unit = 1) {
  let value = 0;
  return steps.map((step) => (step === null ? null : (value += step) * unit));
}
