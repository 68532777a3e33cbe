// The choice of other colours for a layer: legends and named colormaps.
import { absolute } from "./layers.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const most = 500; // legends in a list
let choices; // promise of what there is to choose from, read once

// bindColors fills a layer's list when its card is first seen, and draws the layer
// by what is chosen.
export function bindColors(layer) {
  const card = document.querySelector(`[data-layer="${layer.id}"]`);
  const select = card.querySelector("[data-colors]");
  if (!select) return;
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    readColors().then((groups) => {
      fillColors(select, groups);
      select.disabled = false;
    });
  });
  seen.observe(card);
  const picture = card.querySelector("[data-picture]");
  const explain = () => showPicture(picture, layer.id, select);
  const link = linksOf(card, layer);
  const warn = warningOf(card, layer, select);
  select.addEventListener("change", () => {
    layer.tiles.setUrl(select.value ? `${layer.plain}?${select.value}` : layer.address);
    card.querySelector("[data-own-colors]").hidden = select.value !== "";
    link(select.value);
    explain();
    warn();
  });
  dark.addEventListener("change", explain);
  picture.addEventListener("error", () => (picture.hidden = true));
}

// linksOf gives a function that makes the addresses for use elsewhere those of the
// colours that a query asks for; empty: the layer's own.
function linksOf(card, layer) {
  const tiles = card.querySelector("[data-path]");
  const [tileJSON, legend, picture] = ["tilejson", "legend", "legend-picture"].map((name) => {
    const element = card.querySelector(`[data-${name}]`);
    return { element, own: element.getAttribute("href") };
  });
  return (query) => {
    tiles.value = absolute(tiles.dataset.path) + (query && `?${query}`);
    tileJSON.element.href = tileJSON.own + (query && `?${query}`);
    picture.element.href = picture.own + (query && `&${query}`);
    const chosen = new URLSearchParams(query).get("legend"); // colormaps have a picture only
    const path = query ? chosen && `legend/${chosen}?layer=${layer.id}` : legend.own;
    legend.element.hidden = !path;
    legend.element.setAttribute("href", path || "");
  };
}

// warningOf gives a function that tells when the legend chosen colours nothing of
// the layer.
function warningOf(card, layer, select) {
  const message = card.querySelector("[data-colorless]");
  return async () => {
    message.hidden = true;
    const query = select.value;
    const legend = new URLSearchParams(query).get("legend");
    if (!legend) return;
    const { report } = await readJSON(`api/v1/legends/${legend}/check?layer=${layer.id}`, {});
    const none = report && report.pixels > 0 && report.none.at_least === report.pixels;
    if (select.value === query) message.hidden = !none;
  };
}

// readJSON reads a path, or gives what is given in its place: the page works
// without.
async function readJSON(path, otherwise) {
  try {
    const answer = await fetch(new URL(path, document.baseURI));
    return answer.ok ? await answer.json() : otherwise;
  } catch {
    return otherwise;
  }
}

// readColors gives what there is to choose from.
export function readColors() {
  return (choices ??= readChoices());
}

// readChoices gives groups of names with the parameters that ask for them; one
// without parameters is a remark.
async function readChoices() {
  const none = { items: [], total: 0 };
  const [legends, colormaps] = await Promise.all([readJSON(`api/v1/legends?limit=${most}`, none), readJSON("colormaps", none)]);
  const groups = [{ label: "Legends", options: legends.items.map((l) => [l.title, `legend=${l.id}`]) }];
  const left = legends.total - legends.items.length;
  if (left > 0) groups[0].options.push([`${left} more: name one in the address, as ?legend=title`, null]);
  for (const c of colormaps.items) {
    const label = `Colormaps, ${c.group}`;
    if (groups.at(-1).label !== label) groups.push({ label, options: [] });
    groups.at(-1).options.push([c.name, `colormap_name=${encodeURIComponent(c.name)}`]);
  }
  return groups.filter((g) => g.options.length);
}

// fillColors puts groups of colours into a list.
export function fillColors(select, groups) {
  for (const group of groups) {
    const element = document.createElement("optgroup");
    element.label = group.label;
    for (const [name, query] of group.options) {
      const option = new Option(name, query ?? "");
      option.disabled = query === null;
      element.append(option);
    }
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
