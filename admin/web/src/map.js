// The map of a layer, with the value under the pointer.
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import { addWorld } from "./world.js";

const server = new URL(document.body.dataset.server, location.href);

export function showLayer(element) {
  const { layer, tiles, max, bounds } = element.dataset;
  const map = L.map(element, { attributionControl: false, worldCopyJump: true });
  const pictures = L.tileLayer(tiles, { maxNativeZoom: Number(max), maxZoom: 22 }).addTo(map);
  element.addEventListener("tiles", (e) => pictures.setUrl(e.detail));
  addWorld(map, server);
  const [west, south, east, north] = bounds.split(",").map(Number);
  if (Number.isFinite(north)) map.fitBounds([[south, west], [north, east < west ? east + 360 : east]]);
  else map.setView([0, 0], 1);
  document.getElementById("opacity").addEventListener("input", (e) => pictures.setOpacity(e.target.value));
  const out = document.getElementById("value");
  let waiting;
  map.on("mousemove click", (e) => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const at = e.latlng.wrap();
      const url = new URL(`pixel/${at.lng.toFixed(7)}/${at.lat.toFixed(7)}?srid=4326&layers=a=${layer}`, server);
      const answer = await fetch(url);
      if (!answer.ok) return;
      const { value } = await answer.json();
      out.textContent = `${at.lat.toFixed(5)}, ${at.lng.toFixed(5)}: ${value ?? "no value"}`;
    }, 120);
  });
}
