// Builds the admin's scripts into dist/, and puts the licences of what is in them beside
// them.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url);

await build({
  absWorkingDir: here.pathname,
  entryPoints: { admin: "src/admin.js", map: "src/map.js", ask: "src/ask.js" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome100", "firefox100", "safari15"],
  // The base map is that of the map page; it is not to bring another Leaflet.
  alias: { leaflet: "./node_modules/leaflet" },
  loader: { ".png": "dataurl" },
  legalComments: "eof",
  logLevel: "info",
});

// Packages without their licence's text have it in licenses/.
const elsewhere = { "terra-draw": "licenses/terra-draw.txt", "terra-draw-leaflet-adapter": "licenses/terra-draw.txt" };
const licenses = ["leaflet", "terra-draw", "terra-draw-leaflet-adapter", "tus-js-client"].map((name) => {
  const text = readFileSync(new URL(elsewhere[name] ?? `node_modules/${name}/LICENSE`, here), "utf8").trim();
  const { version } = JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, here), "utf8"));
  return `${name} ${version}\n\n${text}\n`;
});
writeFileSync(new URL("dist/licenses.txt", here), licenses.join("\n----\n\n"));
