// The map of the page that asks: the layer chosen, and polygons that are drawn into the
// form. Without this the form is the same, with coordinates that are typed or uploaded.
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import { boundsOf } from "../../../server/web/src/layers.js";
import { bindDrawing } from "./draw.js";
import { bindFormula } from "./askformula.js";
import { addWorld } from "./world.js";

const server = new URL(document.body.dataset.server, location.href);
const form = document.getElementById("ask");

if (document.querySelector("[data-waiting]")) setTimeout(() => location.reload(), 3000);
if (form) start();

function start() {
  for (const part of form.querySelectorAll(".script[hidden]")) part.hidden = false;
  const map = L.map("ask-map", { attributionControl: false, maxZoom: 22 });
  addWorld(map, server);
  const opacity = document.getElementById("ask-opacity");
  const said = document.getElementById("ask-said");
  const formula = bindFormula(map, form, server, opacity);
  const polygons = bindDrawing(map, form, (text) => (said.textContent = text));
  let shown = [];

  // show draws the layers that are asked about; of two, the later one is on top.
  const show = () => {
    for (const tiles of shown) tiles.remove();
    shown = [];
    const kind = new FormData(form).get("ask");
    formula.show(kind === "formula");
    const fields = kind === "change" ? ["layer", "layer2"] : ["layer"];
    if (kind !== "formula") for (const field of fields) shown.push(...tilesOf(form.elements[field].selectedOptions[0]));
    for (const tiles of shown) tiles.addTo(map);
    fade();
  };
  const fade = () => {
    shown.at(-1)?.setOpacity(Number(opacity.value));
    formula.fade();
  };
  const tilesOf = ({ dataset }) => {
    if (!dataset.tiles) return [];
    const legend = form.elements.legend.value;
    const query = legend && `${dataset.tiles.includes("?") ? "&" : "?"}legend=${encodeURIComponent(legend)}`;
    return [L.tileLayer(dataset.tiles + query, { maxNativeZoom: Number(dataset.max), maxZoom: 22, className: "raster", bounds: placeOf(dataset) })];
  };
  const look = () => {
    const place = polygons.bounds() ?? placeOf(form.elements.layer.selectedOptions[0].dataset);
    if (place) map.fitBounds(place, { padding: [20, 20], animate: false });
    else map.setView([0, 0], 1);
  };
  opacity.addEventListener("input", fade);
  for (const radio of form.querySelectorAll("[name=ask]")) radio.addEventListener("change", show);
  for (const name of ["layer2", "legend"]) form.elements[name].addEventListener("change", show);
  form.elements.layer.addEventListener("change", () => (show(), look()));
  look();
  show();
  const button = form.querySelector("button.main");
  const label = button.textContent;
  form.addEventListener("submit", () => (button.textContent = "Counting…"));
  addEventListener("pageshow", () => (button.textContent = label)); // back from the answer
  for (const row of document.querySelectorAll("[data-zone]")) {
    const zone = Number(row.dataset.zone);
    row.addEventListener("mouseenter", () => polygons.mark(zone));
    row.addEventListener("mouseleave", () => polygons.mark(-1));
  }
}

function placeOf({ bounds }) {
  const box = (bounds ?? "").split(",").map(Number);
  return box.length === 4 && box.every(Number.isFinite) ? boundsOf(box) : undefined;
}
