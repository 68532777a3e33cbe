// Formulas that one often wants, with the colours that suit them and the bands that
// their variables usually are.

// A band is looked for by these words in its description or its layer's name.
const word = (text) => new RegExp(`(^|[^a-z0-9])(${text})([^a-z0-9]|$)`, "i");
const nir = word("nir|near.?infra.?red|b0?8a?");
const red = word("red|b0?4");
const green = word("green|b0?3");

const difference = { low: "-1", high: "1" }; // what normalised differences can be

export const presets = [
  { key: "ndvi", title: "NDVI, vegetation", formula: "(nir - red) / (nir + red)", roles: { nir, red }, colors: "rdylgn", ...difference },
  { key: "ndwi", title: "NDWI, water", formula: "(green - nir) / (green + nir)", roles: { green, nir }, colors: "brbg", ...difference },
  { key: "difference", title: "Difference of two", formula: "b - a", roles: { a: null, b: null }, colors: "rdbu", low: "", high: "" },
  { key: "mask", title: "Mask, above a threshold", formula: "a > {mean}", roles: { a: null }, colors: "viridis", low: "0", high: "1" },
];

// assign chooses a band for each variable of a preset: one whose name says so, and
// for the others the bands of the list in their order, so that two variables are
// two bands where there are two.
export function assign(roles, bands) {
  const chosen = {};
  const left = [...bands];
  const take = (name, at) => ([chosen[name]] = left.splice(at, 1));
  for (const [name, wanted] of Object.entries(roles)) {
    const at = wanted ? left.findIndex((b) => wanted.test(b.label)) : -1;
    if (at >= 0) take(name, at);
  }
  for (const name of Object.keys(roles)) {
    if (!chosen[name] && left.length) take(name, 0);
    chosen[name] ??= bands[0];
  }
  return chosen;
}
