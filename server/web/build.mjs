// Builds the map page's assets into dist/: the script and style bundles, the
// world outline, cut down from Natural Earth's 1:110m countries, and the
// licences of what is in them.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { feature, mesh } from "topojson-client";

const require = createRequire(import.meta.url);
const here = new URL(".", import.meta.url);

await build({
  absWorkingDir: here.pathname,
  entryPoints: { map: "src/map.js" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome100", "firefox100", "safari15"],
  loader: { ".png": "dataurl" },
  legalComments: "eof",
  logLevel: "info",
});

const world = JSON.parse(readFileSync(require.resolve("world-atlas/countries-110m.json"), "utf8"));
const outline = {
  land: feature(world, world.objects.land).features.flatMap((f) => polygons(f.geometry)).map((p) => p.map(ring)),
  coasts: cut(mesh(world, world.objects.countries, (a, b) => a === b)),
  borders: cut(mesh(world, world.objects.countries, (a, b) => a !== b)),
};
writeFileSync(new URL("dist/world.json", here), JSON.stringify(outline));

// The licences ask to go along with what is made of the packages.
const licenses = ["leaflet", "world-atlas", "topojson-client"].map((name) => {
  const text = readFileSync(new URL(`node_modules/${name}/LICENSE`, here), "utf8").trim();
  const { version } = JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, here), "utf8"));
  return `${name} ${version}\n\n${text}\n`;
});
const colormaps = readFileSync(new URL("../../legend/colormaps.txt", here), "utf8").trim();
licenses.push(`Named colormaps\n\n${colormaps}\n`);
writeFileSync(new URL("dist/licenses.txt", here), licenses.join("\n----\n\n"));

function polygons(geometry) {
  return geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
}

// unwrapped lets a line go on beyond 180 degrees where it crosses the
// antimeridian, instead of jumping to the other side of the map. Two decimals
// are kept, about a kilometre, which is finer than the data.
function unwrapped(line) {
  let turn = 0;
  return line.map(([x, y], i) => {
    const step = i ? x - line[i - 1][0] : 0;
    if (step > 180) turn -= 360;
    if (step < -180) turn += 360;
    return [Math.round((x + turn) * 100) / 100, Math.round(y * 100) / 100];
  });
}

// ring is a closed line. One that goes round a pole, as Antarctica's, does not
// end where it began, and is closed along the map's lower edge.
function ring(line) {
  const out = unwrapped(line);
  const [first, last] = [out[0], out[out.length - 1]];
  if (Math.abs(first[0] - last[0]) > 180) out.push([last[0], -90], [first[0], -90]);
  return out;
}

// cut takes out the stretches along the antimeridian and the edge at the south
// pole: they are where the data was cut open, not coasts.
function cut(multiLine) {
  const edge = ([x, y]) => Math.abs(Math.abs(x) - 180) < 0.02 || y < -89.9;
  const lines = [];
  for (const line of multiLine.coordinates.map(unwrapped)) {
    let part = [line[0]];
    for (let i = 1; i < line.length; i++) {
      if (edge(line[i - 1]) && edge(line[i])) {
        if (part.length > 1) lines.push(part);
        part = [];
      }
      part.push(line[i]);
    }
    if (part.length > 1) lines.push(part);
  }
  return lines;
}
