// A formula of the form, drawn on the map as one types.
import { assign, presets } from "../../../server/web/src/presets.js";
import { queryOf, used } from "../../../server/web/src/query.js";
import { tilesOf } from "../../../server/web/src/layers.js";

const pause = 350; // milliseconds without a key before the server is asked
const colormaps = ["viridis", "rdylgn", "brbg", "rdbu", "greys", "magma", "terrain"];

export function bindFormula(map, form, server, opacity) {
  const part = (name) => document.getElementById(name);
  const [field, preset, colors, low, high, mistake] = ["formula", "preset", "ask-colors", "ask-low", "ask-high", "ask-mistake"].map(part);
  const letters = [...form.querySelectorAll("[data-layer-of]")];
  const known = new Map(); // promises of what the API tells of layers
  let tiles = null;
  let wanted = false; // the formula is what is asked about
  let newest = 0;
  let timer;

  preset.append(...presets.map((p) => new Option(p.title, p.key)));
  colors.append(...colormaps.map((name) => new Option(name, `colormap_name=${name}`)));
  preset.addEventListener("change", () => take(presets.find((p) => p.key === preset.value)));
  for (const input of [field, low, high, ...letters.map((s) => form.elements[bandOf(s)])]) input.addEventListener("input", later);
  for (const select of [colors, ...letters]) select.addEventListener("change", update);
  return {
    show(on) {
      wanted = on;
      update();
    },
    fade: () => tiles?.setOpacity(Number(opacity.value)),
  };

  // take puts a preset into the form: its variables become a, b and c, with the bands
  // that suit them of the layers that are chosen.
  async function take(chosen) {
    if (!chosen) return;
    const layers = await Promise.all([...new Set(letters.map((s) => s.value).filter(Boolean))].map(tell));
    const bands = layers.filter(Boolean).flatMap((l) =>
      (l.revision?.bands ?? [{}]).map((b, band) => ({ layer: String(l.id), band, mean: b.mean, label: `${l.name} ${b.description ?? ""}` })));
    if (!bands.length) return;
    const roles = assign(chosen.roles, bands);
    let text = chosen.formula;
    Object.entries(roles).forEach(([name, { layer, band }], i) => {
      text = text.replace(new RegExp(`\\b${name}\\b`, "g"), `\u0000${letters[i].dataset.layerOf}`);
      letters[i].value = layer;
      form.elements[bandOf(letters[i])].value = band + 1;
    });
    const mean = Object.values(roles)[0].mean ?? 0;
    field.value = text.replaceAll("\u0000", "").replace("{mean}", Number(mean.toPrecision(3)));
    colors.value = `colormap_name=${chosen.colors}`;
    low.value = chosen.low;
    high.value = chosen.high;
    update();
  }

  function tell(id) {
    if (!known.has(id)) known.set(id, fetch(new URL(`api/v1/layers/${id}`, server)).then((r) => (r.ok ? r.json() : null), () => null));
    return known.get(id);
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(update, pause);
  }

  // update draws the formula, or shows what is wrong with it.
  async function update() {
    clearTimeout(timer);
    const mine = ++newest;
    tiles?.remove();
    tiles = null;
    mistake.hidden = true;
    const formula = field.value.trim();
    if (!wanted || !formula) return;
    const all = letters.filter((s) => s.value).map((s) => ({ name: s.dataset.layerOf, layer: s.value, band: (Number(form.elements[bandOf(s)].value) || 1) - 1 }));
    const query = queryOf({ variables: used(all, formula), formula, colors: colors.value, low: low.value.trim(), high: high.value.trim() });
    const answer = await fetch(new URL(`algebra/tilejson.json?${query}`, server)).catch(() => null);
    const doc = await answer?.json().catch(() => null);
    if (mine !== newest) return;
    if (!answer?.ok) {
      mistake.textContent = [doc?.detail ?? "The server did not answer.", doc?.hint].filter(Boolean).join(": ");
      mistake.hidden = false;
      return;
    }
    const version = new URL(doc.tiles[0], server).searchParams.get("v");
    const address = new URL("algebra/", server) + `{z}/{x}/{y}.png?${query}` + (version ? `&v=${encodeURIComponent(version)}` : "");
    tiles = tilesOf({ tileSize: 256, ...doc, tiles: address }, 1).addTo(map);
    tiles.setOpacity(Number(opacity.value));
  }
}

const bandOf = (select) => select.name.replace("layer", "band");
