// The view in the address: #zoom/latitude/longitude, so that a link or a reload
// shows the same place.

// readView gives the view of an address's hash, or null.
export function readView(hash) {
  const parts = hash.replace(/^#/, "").split("/").map(Number);
  if (parts.length !== 3 || !parts.every(Number.isFinite)) return null;
  const [zoom, lat, lng] = parts;
  if (zoom < 0 || zoom > 30 || Math.abs(lat) > 90 || Math.abs(lng) > 540) return null;
  return { zoom, center: [lat, lng] };
}

// keepView writes the map's view to the address and follows links to others.
export function keepView(map) {
  let own = location.hash;
  map.on("moveend", () => {
    const c = map.getCenter();
    const digits = Math.max(2, Math.ceil(map.getZoom() / 3));
    own = `#${map.getZoom()}/${c.lat.toFixed(digits)}/${c.lng.toFixed(digits)}`;
    history.replaceState(history.state, "", own);
  });
  addEventListener("hashchange", () => {
    const view = readView(location.hash);
    if (view && location.hash !== own) map.setView(view.center, view.zoom);
  });
}
