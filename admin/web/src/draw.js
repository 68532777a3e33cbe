// Polygons that are drawn on the map. The text of the form is what counts: drawing
// writes it, and what is typed or read from a file is drawn.
import L from "leaflet";
import { TerraDraw, TerraDrawPolygonMode, TerraDrawRectangleMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawLeafletAdapter } from "terra-draw-leaflet-adapter";

const digits = 7; // of degrees: a centimetre
const mostText = 5e6; // characters that are drawn
const looks = { fillColor: "#c2185b", outlineColor: "#c2185b", fillOpacity: 0.12, outlineWidth: 3 };
const chosen = "#e8a000"; // the colour of what is selected or pointed at
const drawnModes = ["polygon", "rectangle"];

// bindDrawing connects the map with the field of polygons.
export function bindDrawing(map, form, say) {
  const field = document.getElementById("geom");
  const [remove, clear] = ["remove", "clear"].map((name) => form.querySelector(`[data-${name}]`));
  const draw = makeDraw(map);
  const other = L.geoJSON(null, { interactive: false, style: { color: looks.outlineColor, weight: looks.outlineWidth, fillOpacity: looks.fillOpacity } }).addTo(map);
  const marked = L.geoJSON(null, { interactive: false, style: { color: chosen, weight: 5, fillOpacity: 0.3 } }).addTo(map);
  let kept = []; // features that cannot be changed by hand
  let known = new Map(); // what drawn features were read from, by their id here
  let selected = null;
  let reading = false;

  draw.start();
  draw.setMode("select");
  read();
  const first = kept.length + known.size;
  if (first) say(first === 1 ? "One polygon is counted." : `${first} polygons are counted.`);

  const choose = (mode) => {
    draw.setMode(mode);
    for (const button of form.querySelectorAll("[data-draw]")) button.setAttribute("aria-pressed", String(button.dataset.draw === mode));
    map.getContainer().classList.toggle("drawn-on", mode !== "select");
    if (mode === "polygon") say("Click the corners. Click the first one again, or press Enter, to finish.");
    if (mode === "rectangle") say("Click two opposite corners.");
    if (mode === "select") say("Click a polygon to move it or its corners.");
  };
  for (const button of form.querySelectorAll("[data-draw]")) button.addEventListener("click", () => choose(button.dataset.draw));
  draw.on("finish", (id, { action }) => {
    write();
    if (action !== "draw") return;
    choose("select");
    say("The polygon is in the form. Draw another one, or count.");
  });
  draw.on("change", (ids, type) => { // by the key Delete
    if (type === "delete" && !reading && ids.some((id) => known.has(id))) write();
  });
  draw.on("select", (id) => ((selected = id), (remove.disabled = false)));
  draw.on("deselect", () => ((selected = null), (remove.disabled = true)));
  remove.addEventListener("click", () => {
    if (selected === null) return;
    draw.removeFeatures([selected]);
    selected = null;
    remove.disabled = true;
  });
  clear.addEventListener("click", () => {
    field.value = "";
    read();
    say("There is no polygon: the whole layer is counted.");
  });
  let waiting;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => (read(), look()), 300);
  });
  document.getElementById("file").addEventListener("change", (e) => takeFile(e.target));
  return { bounds, mark };

  // read draws what the field holds.
  function read() {
    reading = true;
    draw.clear();
    reading = false;
    known = new Map();
    kept = [];
    for (const feature of featuresOf(field.value)) {
      const { type, coordinates } = feature.geometry ?? {};
      const [added] = type === "Polygon" && coordinates?.length === 1 ? draw.addFeatures([editable(coordinates)]) : [];
      if (added?.valid) known.set(added.id, feature);
      else kept.push(feature);
    }
    other.clearLayers();
    for (const feature of kept) addTo(other, feature);
  }

  // write puts what is drawn into the field, and what else it held.
  function write() {
    const before = known;
    const polygons = polygonsDrawn();
    known = new Map(polygons.filter((f) => before.has(f.id)).map((f) => [f.id, { ...before.get(f.id), geometry: f.geometry }]));
    for (const { id, geometry } of polygons) {
      if (!known.has(id)) known.set(id, { type: "Feature", properties: { name: freeName() }, geometry });
    }
    const all = [...kept, ...known.values()];
    field.value = all.length ? JSON.stringify({ type: "FeatureCollection", features: all }) : "";
  }

  function polygonsDrawn() {
    return draw.getSnapshot().filter((f) => f.geometry.type === "Polygon" && drawnModes.includes(f.properties.mode) && !f.properties.currentlyDrawing);
  }

  function freeName() {
    const taken = [...kept, ...known.values()].map((f) => f.properties?.name);
    for (let i = 1; ; i++) if (!taken.includes(`Polygon ${i}`)) return `Polygon ${i}`;
  }

  // takeFile puts a file's text into the field; one that is too long to be drawn, or
  // that is no GeoJSON, is sent with the form as it is.
  async function takeFile(input) {
    const file = input.files[0];
    if (!file || file.size > mostText) return;
    const text = await file.text();
    if (!featuresOf(text).length) return;
    field.value = text;
    input.value = "";
    read();
    look();
    say(`The polygons of ${file.name} are in the form.`);
  }

  function bounds() {
    const box = L.featureGroup([other, L.geoJSON(polygonsDrawn())]).getBounds();
    return box.isValid() ? box : undefined;
  }

  function look() {
    const box = bounds();
    if (box) map.fitBounds(box, { padding: [20, 20], animate: false });
  }

  // mark makes the polygon of a row of the answer stand out.
  function mark(zone) {
    marked.clearLayers();
    const feature = featuresOf(field.value)[zone];
    if (feature) addTo(marked, feature);
  }
}

// Adapter orders what is drawn without style elements, which the page's policy refuses.
class Adapter extends TerraDrawLeafletAdapter {
  createPaneStyleSheet(pane, order) {
    this._map.createPane(pane).style.zIndex = 600 + order;
    return document.createElement("style"); // it is removed with the pane
  }
}

function makeDraw(map) {
  return new TerraDraw({
    adapter: new Adapter({ lib: L, map, coordinatePrecision: digits }),
    modes: [
      new TerraDrawPolygonMode({ styles: looks }),
      new TerraDrawRectangleMode({ styles: looks }),
      new TerraDrawSelectMode({
        styles: { selectedPolygonColor: chosen, selectedPolygonFillOpacity: 0.3, selectedPolygonOutlineColor: chosen, selectedPolygonOutlineWidth: 3 },
        flags: Object.fromEntries(drawnModes.map((mode) => [mode, { feature: { draggable: true, coordinates: { draggable: true, midpoints: true, deletable: true } } }])),
      }),
    ],
  });
}

// editable is a polygon as the library takes it: with so many digits.
function editable([ring]) {
  const round = (v) => Number(v.toFixed(digits));
  return { type: "Feature", geometry: { type: "Polygon", coordinates: [ring.map(([x, y]) => [round(x), round(y)])] }, properties: { mode: "polygon" } };
}

// featuresOf are the features of GeoJSON in degrees, or of a polygon in WKT; none of
// what is neither.
function featuresOf(text) {
  if (!text.trim() || text.length > mostText) return [];
  const wkt = /^\s*POLYGON\s*\(\(([^()]*)\)\)\s*$/i.exec(text);
  if (wkt) {
    const ring = wkt[1].split(",").map((pair) => pair.trim().split(/\s+/).map(Number));
    return ring.flat().every(Number.isFinite) ? [{ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [ring] } }] : [];
  }
  let doc;
  try {
    doc = JSON.parse(text);
  } catch {
    return [];
  }
  if (doc?.crs) return [];
  if (doc?.type === "FeatureCollection") return Array.isArray(doc.features) ? doc.features.filter((f) => f?.geometry) : [];
  if (doc?.type === "Feature") return doc.geometry ? [doc] : [];
  return doc?.coordinates || doc?.geometries ? [{ type: "Feature", properties: {}, geometry: doc }] : [];
}

// addTo draws a feature, unless its coordinates are none.
function addTo(group, feature) {
  try {
    group.addData(feature);
  } catch {
    // The server says what is wrong with it when it is sent.
  }
}
