// The raster layers of the map and their controls in the panel.
import L from "leaflet";

// makeLayers turns the page's list into map layers. The first of the list is
// drawn on top.
export function makeLayers(list) {
  return list.map((item, i) => ({
    ...item,
    address: item.tiles,
    plain: item.tiles.split("?")[0],
    bounds: boundsOf(item.bounds),
    tiles: tilesOf(item, list.length - i),
  }));
}

// boundsOf makes [west, south, east, north] Leaflet's; a layer that crosses the
// antimeridian goes on beyond 180 degrees.
export function boundsOf([west, south, east, north]) {
  const clip = (lat) => Math.max(-85.0511, Math.min(85.0511, lat));
  return L.latLngBounds([clip(south), west], [clip(north), east < west ? east + 360 : east]);
}

// tilesOf shows tiles of any size: x, y and z mean the same extent whatever the
// size, so a bigger tile is shown as one of a lower zoom. Sizes that are not a
// power of two are scaled to the nearest.
export function tilesOf(item, zIndex) {
  const step = Math.round(Math.log2(item.tileSize / 256));
  return L.tileLayer(item.tiles, {
    bounds: boundsOf(item.bounds),
    tileSize: 256 * 2 ** step,
    zoomOffset: -step,
    minNativeZoom: Math.max(0, step),
    maxZoom: 30,
    zIndex,
    className: "raster",
    keepBuffer: 3,
    alt: "",
  });
}

// bindPanel connects a layer's controls in the panel with the map.
export function bindPanel(map, layer, { onToggle, animate }) {
  const card = document.querySelector(`[data-layer="${layer.id}"]`);
  const toggle = card.querySelector("[data-toggle]");
  const opacity = card.querySelector("[data-opacity]");
  const show = () => {
    card.classList.toggle("off", !toggle.checked);
    if (toggle.checked) layer.tiles.addTo(map);
    else layer.tiles.remove();
    opacity.disabled = !toggle.checked;
  };
  toggle.checked = layer.visible;
  toggle.disabled = false;
  toggle.addEventListener("change", () => {
    show();
    onToggle();
  });
  opacity.addEventListener("input", () => {
    layer.tiles.setOpacity(opacity.value / 100);
    card.querySelector("[data-opacity-value]").textContent = `${opacity.value} %`;
  });
  card.querySelector("[data-zoom]").addEventListener("click", () => {
    if (!toggle.checked) toggle.click();
    map.fitBounds(layer.bounds, { padding: [24, 24], maxZoom: layer.maxZoom + 1, animate });
  });
  layer.tiles.on("loading", () => card.classList.add("loading"));
  layer.tiles.on("load", () => card.classList.remove("loading"));
  watchErrors(layer.tiles, card.querySelector("[data-error]"));
  show();
}

// watchErrors tells when tiles cannot be loaded, until they can again.
export function watchErrors(tiles, message) {
  let failed = 0;
  tiles.on("loading", () => (failed = 0));
  tiles.on("tileerror", () => {
    failed++;
    message.textContent = "Some tiles could not be loaded. The server's log says why.";
    message.hidden = false;
  });
  tiles.on("load", () => (message.hidden = failed === 0));
}

// bindCopy makes tile addresses absolute for the place where the page is
// mounted, and copies them.
export function bindCopy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.value = absolute(field.dataset.path);
  field.addEventListener("focus", () => field.select());
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    field.select();
    let copied = false;
    try {
      await navigator.clipboard.writeText(field.value);
      copied = true;
    } catch {
      copied = document.execCommand("copy"); // pages without TLS have no clipboard
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = label), 1600);
  });
}

// absolute resolves a path against the page and keeps the braces of {z}/{x}/{y}.
export function absolute(path) {
  return new URL(path, document.baseURI).href.replace(/%7B/gi, "{").replace(/%7D/gi, "}");
}
