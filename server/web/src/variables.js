// The rows of the formula panel in which names are given to bands of layers.

// makeVariables fills a list with rows made of a template. The layers are the page's;
// onChange is called after each change.
export function makeVariables(list, template, layers, onChange) {
  const rows = () => [...list.children];

  function add({ name = freeName(), layer = String(layers[0].id), band = 0 } = {}) {
    const row = template.content.firstElementChild.cloneNode(true);
    const [field, choice, bands] = ["name", "source", "band"].map((part) => row.querySelector(`[data-${part}]`));
    choice.append(...layers.map((l) => new Option(l.name, l.id)));
    if (!layers.some((l) => String(l.id) === layer)) choice.append(new Option(layer, layer)); // a link knows more than the list
    choice.value = layer;
    field.value = name;
    fillBands(band);
    call();
    field.addEventListener("input", () => (call(), onChange()));
    choice.addEventListener("change", () => (fillBands(0), onChange()));
    bands.addEventListener("change", onChange);
    row.querySelector("[data-remove]").addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      lock();
      next?.querySelector("[data-name]").focus();
      onChange();
    });
    list.append(row);
    lock();
    return row;

    function fillBands(chosen) {
      const known = layers.find((l) => String(l.id) === choice.value)?.bands ?? [];
      const options = known.map((b, i) => new Option(b.name ? `${i + 1} ${b.name}` : i + 1, i));
      for (let i = options.length; i <= chosen; i++) options.push(new Option(i + 1, i));
      bands.replaceChildren(...options);
      bands.value = chosen;
    }

    // call names the row and what is in it for those who do not see it.
    function call() {
      row.setAttribute("aria-label", `Variable ${field.value}`);
      row.querySelector("[data-remove]").setAttribute("aria-label", `Remove ${field.value || "the variable"}`);
    }
  }

  // lock keeps the last row.
  function lock() {
    rows().forEach((row) => (row.querySelector("[data-remove]").disabled = rows().length < 2));
  }

  function freeName() {
    const taken = read().map((v) => v.name);
    return [..."abcdefghijklmnopqrstuvwxyz"].find((name) => !taken.includes(name)) ?? "";
  }

  function read() {
    return rows().map((row) => ({
      name: row.querySelector("[data-name]").value.trim(),
      layer: row.querySelector("[data-source]").value,
      band: Number(row.querySelector("[data-band]").value),
    }));
  }

  return {
    add,
    read,
    replace(variables) {
      list.replaceChildren();
      variables.forEach(add);
    },
  };
}
