// The map page: reads the list that the server wrote into the page, draws the
// layers, and connects the panel.
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import "./map.css";
import { addBasemap, plain } from "./basemap.js";
import { bindColors } from "./colors.js";
import { bindFormula } from "./formula.js";
import { bindCopy, bindPanel, boundsOf, makeLayers } from "./layers.js";
import { keepView, readView } from "./view.js";

const page = JSON.parse(document.getElementById("page-data").textContent);
const seen = 40; // pixels on the screen below which a layer is easily overlooked
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const map = L.map("map", {
  zoomControl: false,
  minZoom: 1,
  maxZoom: Math.min(30, Math.max(8, ...page.layers.map((l) => l.maxZoom + 5))),
  maxBounds: [[-85.06, -540], [85.06, 540]],
  maxBoundsViscosity: 1,
  zoomAnimation: !still,
  fadeAnimation: !still,
  markerZoomAnimation: !still,
});
L.control.zoom({ position: "topright" }).addTo(map);
L.control.scale({ position: "bottomright", maxWidth: 120, imperial: false }).addTo(map);
map.attributionControl.setPrefix(false);

const layers = makeLayers(page.layers);
const start = readView(location.hash);
if (start) map.setView(start.center, start.zoom);
else fitVisible();
keepView(map);
addBasemap(map, page.world, page.basemap?.url);
for (const layer of layers) bindPanel(map, layer, { onToggle: showAttribution, animate: still ? false : undefined });
layers.forEach(bindColors);
document.querySelectorAll("[data-copy]").forEach(bindCopy);
const formulaAttributions = bindFormula(map, page.layers, { onShow: showAttribution, animate: still ? false : undefined });
bindFilter(document.getElementById("filter"));
bindPanelToggle(document.getElementById("panel-toggle"));
showAttribution();
map.on("mousemove", (e) => {
  const at = e.latlng.wrap();
  document.getElementById("position").textContent = `${at.lat.toFixed(4)}, ${at.lng.toFixed(4)}`;
});

// fitVisible shows the newest of the visible layers, which is the first, and
// all others with which it does not become too small to be seen; the world when
// there is none.
function fitVisible() {
  const shown = page.layers.filter((l) => l.visible).map((l) => boundsOf(l.bounds));
  if (!shown.length) return map.setView([25, 10], 2);
  const padding = L.point(24, 24);
  const fits = (bounds) => widthAt(shown[0], map.getBoundsZoom(bounds, false, padding.multiplyBy(2))) >= seen;
  let bounds = shown[0];
  for (const other of shown.slice(1)) {
    const both = L.latLngBounds(bounds.getSouthWest(), bounds.getNorthEast()).extend(other);
    if (both.equals(bounds) || fits(both)) bounds = both;
  }
  return map.fitBounds(bounds, { padding, animate: false });
}

// widthAt is the longer side of a box on the screen, in pixels.
function widthAt(bounds, zoom) {
  const size = map.project(bounds.getSouthEast(), zoom).subtract(map.project(bounds.getNorthWest(), zoom));
  return Math.max(size.x, size.y);
}

// showAttribution names the sources of what is shown. They are
// texts that users typed.
function showAttribution() {
  const control = map.attributionControl;
  for (const text of Object.keys(control._attributions)) control.removeAttribution(text);
  const shown = layers.filter((l) => map.hasLayer(l.tiles)).map((l) => l.attribution);
  for (const text of new Set([...formulaAttributions(), ...shown])) {
    if (text) control.addAttribution(plain(text));
  }
  const below = page.basemap ? page.basemap.attribution : "Outline: Natural Earth";
  if (below) control.addAttribution(plain(below));
}

// bindFilter hides the cards whose name does not hold what is typed.
function bindFilter(input) {
  if (!input) return;
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    let found = 0;
    document.querySelectorAll("[data-layer]").forEach((card) => {
      card.hidden = !card.dataset.search.toLowerCase().includes(wanted);
      found += card.hidden ? 0 : 1;
    });
    document.getElementById("nothing-found").hidden = found > 0;
  });
}

// bindPanelToggle folds the panel away and back.
function bindPanelToggle(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const folded = document.body.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(!folded));
    button.setAttribute("aria-label", folded ? "Show the layers" : "Hide the layers");
    map.invalidateSize({ pan: false });
  });
}

document.body.classList.add("ready");
