// A formula with its variables and colours, as the server's parameters say it:
// layers=nir:3=1,red:2=1&formula=…&colormap_name=…&rescale=…, in which bands count
// from 0. The same stands in the page's address, so that a link shows it again.

// queryOf writes what is in the panel.
export function queryOf({ variables, formula, colors, low, high }) {
  const parts = [["layers", variables.map((v) => `${v.name}:${v.band}=${v.layer}`).join(",")], ["formula", formula]];
  parts.push(...new URLSearchParams(colors));
  if (low !== "" && high !== "") parts.push(["rescale", `${low},${high}`]);
  return parts.map(([name, value]) => `${name}=${written(value)}`).join("&");
}

// written escapes a value, but for what makes an address hard to read for nothing.
function written(value) {
  return encodeURIComponent(value).replace(/%(3A|2C|3D|2F)/g, decodeURIComponent);
}

// stateOf reads the query of an address; null: it has no formula.
export function stateOf(search) {
  const query = new URLSearchParams(search);
  const formula = query.get("formula");
  if (!formula) return null;
  const variables = [];
  for (const text of (query.get("layers") ?? "").split(",")) {
    const match = /^\s*([^:=]*)(?::(\d+))?=(.*)$/.exec(text);
    if (match) variables.push({ name: match[1], band: Number(match[2] ?? 0), layer: match[3].trim() });
  }
  const colors = ["legend", "colormap_name"].filter((name) => query.get(name));
  const [low = "", high = ""] = (query.get("rescale") ?? "").split(",");
  return { variables, formula, low, high, colors: colors.length ? `${colors[0]}=${written(query.get(colors[0]))}` : "" };
}

// used are the variables that a formula names: the server wants no others.
export function used(variables, formula) {
  const words = new Set(formula.match(/[\p{L}\p{N}_.]+/gu));
  return variables.filter((v) => words.has(v.name));
}
