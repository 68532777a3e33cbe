// What lies below the layers on the admin's maps: the operator's base map, or the outline
// of the world.
import L from "leaflet";
import { addBasemap, plain } from "../../../server/web/src/basemap.js";

export function addWorld(map, server) {
  const { basemap, basemapAttribution } = document.body.dataset;
  addBasemap(map, new URL("assets/world.json", server), basemap);
  if (basemapAttribution) L.control.attribution({ prefix: false }).addAttribution(plain(basemapAttribution)).addTo(map);
}
