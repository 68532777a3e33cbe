// The formula panel: names for bands of layers, a formula over them, colours and a
// range, drawn while one types.
import L from "leaflet";
import { fillColors, readColors } from "./colors.js";
import { absolute, boundsOf, tilesOf, watchErrors } from "./layers.js";
import { assign, presets } from "./presets.js";
import { queryOf, stateOf, used } from "./query.js";
import { makeVariables } from "./variables.js";

const pause = 350; // milliseconds without a key before the server is asked

// bindFormula connects the panel. onShow is called when what is drawn changes.
// It gives a function that tells the attributions of what is drawn.
export function bindFormula(map, list, { onShow, animate }) {
  const panel = document.getElementById("formula");
  if (!panel) return () => [];
  panel.hidden = false;
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const [field, colors, low, high, opacity] = ["formula", "formula-colors", "low", "high", "formula-opacity"].map(part);
  const variables = makeVariables(part("variables"), document.getElementById("formula-row"), list, later);
  const value = bindValue(map, part, () => shown);
  let shown = null; // what is drawn: { query, tiles, bounds, maxZoom, layers }
  let asking = null; // the question that is under way
  let timer = 0;

  fillPresets();
  const start = stateOf(location.search);
  write(start ?? { variables: [{}], formula: "", colors: "", low: "", high: "" });
  if (start) panel.open = true;
  const chosen = start?.colors ?? "";
  readColors().then((groups) => {
    fillColors(colors, groups);
    colors.disabled = false;
    choose(colors.value || chosen);
    if (start) update();
  });

  part("formula-form").addEventListener("submit", (e) => e.preventDefault());
  field.addEventListener("input", later);
  field.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || e.isComposing) return;
    e.preventDefault();
    update();
  });
  for (const input of [low, high]) input.addEventListener("input", later);
  colors.addEventListener("change", update);
  part("add").addEventListener("click", () => {
    variables.add().querySelector("[data-name]").focus();
    later();
  });
  part("preset").addEventListener("change", (e) => {
    const preset = presets.find((p) => p.key === e.target.value);
    if (preset) take(preset);
  });
  opacity.addEventListener("input", () => {
    shown?.tiles.setOpacity(opacity.value / 100);
    part("formula-opacity-value").textContent = `${opacity.value} %`;
  });
  part("formula-zoom").addEventListener("click", () => map.fitBounds(shown.bounds, { padding: [24, 24], maxZoom: shown.maxZoom + 1, animate }));
  return () => (shown ? list.filter((l) => shown.layers.includes(String(l.id))).map((l) => l.attribution) : []);

  function fillPresets() {
    part("preset").append(...presets.map((p) => new Option(p.title, p.key)));
  }

  // take puts a preset into the panel.
  function take(preset) {
    const bands = list.flatMap((l) => l.bands.map((b, band) => ({ layer: String(l.id), band, mean: b.mean, label: `${l.name} ${b.name}` })));
    const roles = assign(preset.roles, bands);
    write({
      variables: Object.entries(roles).map(([name, { layer, band }]) => ({ name, layer, band })),
      formula: preset.formula.replace("{mean}", Number((Object.values(roles)[0].mean ?? 0).toPrecision(3))),
      colors: `colormap_name=${preset.colors}`,
      low: preset.low,
      high: preset.high,
    });
    update();
  }

  // write puts a state into the fields.
  function write(state) {
    variables.replace(state.variables.length ? state.variables : [{}]);
    field.value = state.formula;
    low.value = state.low;
    high.value = state.high;
    choose(state.colors);
  }

  // choose selects colours by their query; those of a link need not be in the list.
  function choose(query) {
    if (query && ![...colors.options].some((o) => o.value === query)) colors.append(new Option(decodeURIComponent(query.replace(/^.*?=/, "")), query));
    colors.value = query;
  }

  // read takes a state from the fields.
  function read() {
    const formula = field.value.replace(/\s+/g, " ").trim();
    const named = used(variables.read(), formula);
    return { variables: named, formula, colors: colors.value, low: low.value.trim(), high: high.value.trim() };
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(update, pause);
  }

  // update asks the server what the formula is and draws it, or shows the mistake.
  async function update() {
    clearTimeout(timer);
    asking?.abort();
    const state = read();
    low.setAttribute("aria-invalid", String(state.low === "" && state.high !== "")); // a range has two ends
    high.setAttribute("aria-invalid", String(state.high === "" && state.low !== ""));
    const query = state.formula && queryOf(state);
    history.replaceState(history.state, "", (query ? `?${query}` : location.pathname) + location.hash);
    if (!query) return show(null, null);
    if (shown?.query === query) return complain(null, state.formula);
    const question = (asking = new AbortController());
    panel.classList.add("loading");
    const answer = await ask(`algebra/tilejson.json?${query}`, question.signal);
    if (question !== asking) return;
    if (answer.problem) {
      show(null, null);
      complain(answer.problem, state.formula);
      return;
    }
    show(answer.found, query, state);
  }

  // show draws tiles as a TileJSON document describes them; null: none.
  function show(doc, query, state) {
    shown?.tiles.remove();
    shown = null;
    asking = null;
    panel.classList.remove("loading");
    complain(null);
    part("error").hidden = true;
    part("result").hidden = !doc;
    value.forget();
    if (doc) {
      const version = new URL(doc.tiles[0], document.baseURI).searchParams.get("v");
      const item = { ...doc, tiles: `algebra/{z}/{x}/{y}.png?${query}` + (version ? `&v=${encodeURIComponent(version)}` : "") };
      const tiles = tilesOf(item, list.length + 1);
      shown = { query, tiles, bounds: boundsOf(doc.bounds), maxZoom: doc.maxzoom, layers: state.variables.map((v) => v.layer) };
      tiles.setOpacity(opacity.value / 100);
      tiles.on("loading", () => panel.classList.add("loading"));
      tiles.on("load", () => panel.classList.remove("loading"));
      watchErrors(tiles, part("error"));
      tiles.addTo(map);
      const address = document.getElementById("formula-url");
      address.value = `${absolute(address.dataset.path)}?${query}`;
      part("formula-tilejson").href = `algebra/tilejson.json?${query}`;
    }
    onShow();
  }

  // complain shows a problem under the field, with its place in the formula marked.
  function complain(problem, formula = "") {
    const message = part("mistake");
    message.hidden = !problem;
    field.setAttribute("aria-invalid", String(Boolean(problem)));
    if (!problem) return;
    const place = part("place");
    place.hidden = !problem.column;
    const letters = [...formula];
    const at = Math.min(problem.column || 1, letters.length + 1) - 1;
    const mark = document.createElement("mark");
    mark.textContent = letters[at] ?? "\u00a0";
    place.replaceChildren(letters.slice(0, at).join(""), mark, letters.slice(at + 1).join(""));
    part("detail").textContent = problem.hint ? `${problem.detail} (${problem.hint})` : problem.detail;
  }
}

// bindValue shows the formula's value where the map is clicked, or at its centre.
function bindValue(map, part, drawn) {
  const text = part("value");
  const hint = text.textContent;
  const popup = L.popup({ className: "value", autoPan: false });
  let newest = 0;
  const look = async (place) => {
    const shown = drawn();
    if (!shown) return;
    const mine = ++newest;
    const { lat, lng } = place.wrap();
    const path = `pixel/${lng.toFixed(7)}/${lat.toFixed(7)}?srid=4326&${shown.query.replace(/&(legend|colormap_name|rescale)=[^&]*/g, "")}`;
    let answer = await ask(path);
    let from = "";
    if (answer.problem?.status === 400) { // layers of different grids have no pixels in common but a zoom's
      answer = await ask(`${path}&zoom=${shown.maxZoom}`);
      from = ` at zoom ${shown.maxZoom}`;
    }
    if (mine !== newest || drawn() !== shown) return;
    const said = answer.problem ? answer.problem.detail : readable(answer.found.value) + from;
    text.textContent = `${lat.toFixed(4)}, ${lng.toFixed(4)}: ${said}`;
    const box = document.createElement("span");
    box.textContent = said;
    popup.setLatLng(place).setContent(box).openOn(map);
  };
  map.on("click", (e) => look(e.latlng));
  part("centre").addEventListener("click", () => look(map.getCenter()));
  return {
    forget() {
      newest++;
      text.textContent = hint;
      popup.remove();
    },
  };
}

function readable(value) {
  return value === null || value === undefined ? "no value" : String(Number(value.toPrecision(7)));
}

// ask gives what the server found, or the problem that it tells of.
async function ask(path, signal) {
  try {
    const answer = await fetch(new URL(path, document.baseURI), { signal });
    const body = await answer.json();
    return answer.ok ? { found: body } : { problem: body };
  } catch {
    return { problem: { detail: "The server did not answer. Is it still there?" } };
  }
}
