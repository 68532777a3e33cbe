// The choice of other colours for a layer: legends and named colormaps.
import { absolute } from "./layers.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
let choices; // promise of what there is to choose from, read once

// bindColors fills a layer's list when somebody comes near to it, and draws the
// layer by what is chosen.
export function bindColors(layer) {
  const card = document.querySelector(`[data-layer="${layer.id}"]`);
  const select = card.querySelector("[data-colors]");
  if (!select) return;
  select.disabled = false;
  const prepare = () => {
    for (const event of ["pointerenter", "focusin"]) card.removeEventListener(event, prepare);
    choices ??= readChoices();
    choices.then((groups) => fill(select, groups));
  };
  for (const event of ["pointerenter", "focusin"]) card.addEventListener(event, prepare);
  const picture = card.querySelector("[data-picture]");
  const explain = () => showPicture(picture, layer.id, select);
  select.addEventListener("change", () => {
    const address = card.querySelector("[data-path]");
    layer.tiles.setUrl(select.value ? `${layer.plain}?${select.value}` : layer.address);
    address.value = absolute(address.dataset.path) + (select.value ? `?${select.value}` : "");
    card.querySelector("[data-own-colors]").hidden = select.value !== "";
    explain();
  });
  dark.addEventListener("change", explain);
  picture.addEventListener("error", () => (picture.hidden = true));
}

// readChoices gives groups of names with the parameters that ask for them.
async function readChoices() {
  const read = async (path) => {
    try {
      const answer = await fetch(new URL(path, document.baseURI));
      return answer.ok ? (await answer.json()).items : [];
    } catch {
      return []; // the layer's own colours are there in any case
    }
  };
  const [legends, colormaps] = await Promise.all([read("api/v1/legends?limit=500"), read("colormaps")]);
  const groups = [{ label: "Legends", options: legends.map((l) => [l.title, `legend=${l.id}`]) }];
  for (const c of colormaps) {
    const label = `Colormaps, ${c.group}`;
    if (groups.at(-1).label !== label) groups.push({ label, options: [] });
    groups.at(-1).options.push([c.name, `colormap_name=${encodeURIComponent(c.name)}`]);
  }
  return groups.filter((g) => g.options.length);
}

function fill(select, groups) {
  for (const group of groups) {
    const element = document.createElement("optgroup");
    element.label = group.label;
    for (const [name, query] of group.options) element.append(new Option(name, query));
    select.append(element);
  }
}

// showPicture explains the colours chosen by the picture of their legend, with text
// in the colour of the page's.
function showPicture(picture, id, select) {
  picture.hidden = select.value === "";
  if (picture.hidden) return;
  const [r, g, b] = getComputedStyle(document.body).color.match(/\d+/g).map(Number);
  const text = `%23${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  picture.alt = `Legend: ${select.selectedOptions[0].textContent}`;
  picture.src = `legend.svg?layer=${id}&${select.value}&background=transparent&color=${text}`;
}
