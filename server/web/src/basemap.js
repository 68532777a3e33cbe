// The base map: tiles from the host that the operator chose, or Natural Earth's land and borders, drawn three times side by
// side so that layers across the antimeridian lie on it too.
import L from "leaflet";

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// addBasemap draws the outline into a pane below all layers. The page works
// without it, so a failure to load it is only told on the console. Tiles, if there are
// any, are shown in its place; the pane of the land is below all layers.
export async function addBasemap(map, url, tiles) {
  map.createPane("land").style.zIndex = 150;
  map.createPane("lines").style.zIndex = 160;
  for (const pane of ["land", "lines"]) map.getPane(pane).style.pointerEvents = "none";
  if (tiles) {
    L.tileLayer(tiles, { pane: "land", maxNativeZoom: 18, maxZoom: 30 }).addTo(map);
    return;
  }
  let outline;
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    outline = await answer.json();
  } catch (err) {
    console.warn("The base map could not be loaded.", err);
    return;
  }
  const drawn = [
    draw(map, "land", { type: "MultiPolygon", coordinates: outline.land }, { stroke: false, fill: true, fillOpacity: 1 }, "--land"),
    draw(map, "lines", { type: "MultiLineString", coordinates: outline.coasts }, { weight: 0.9 }, "--coast"),
    draw(map, "lines", { type: "MultiLineString", coordinates: outline.borders }, { weight: 0.7, dashArray: "3 3" }, "--border-line"),
  ];
  const paint = () => drawn.forEach(([layers, variable]) => layers.forEach((l) => l.setStyle({ color: color(variable), fillColor: color(variable) })));
  paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

// plain makes HTML of a text that somebody typed: Leaflet takes attributions as HTML.
export const plain = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function draw(map, pane, geometry, style, variable) {
  const renderer = L.canvas({ pane, padding: 0.5 });
  const layers = [-360, 0, 360].map((shift) =>
    L.geoJSON(geometry, {
      pane,
      renderer,
      interactive: false,
      style: { ...style, renderer },
      coordsToLatLng: ([x, y]) => L.latLng(Math.max(-85.06, Math.min(85.06, y)), x + shift),
    }).addTo(map),
  );
  return [layers, variable];
}
