// The editor of a legend: rows that are moved and added, mistakes at their place, and the
// layer as it looks by what is typed. The server does the looking: the form is sent to it
// as by the button, and the answer's parts are put in place.

export function editLegend(form) {
  const rows = document.getElementById("rows");
  const template = document.getElementById("row");
  if (!template) return; // to be read only
  let next = Math.max(-1, ...[...rows.children].map((r) => Number(r.dataset.key))) + 1;

  const reveal = (part) => {
    for (const e of part.querySelectorAll(".script[hidden]")) e.hidden = false;
    for (const e of part.querySelectorAll(".noscript")) e.setAttribute("hidden", "");
  };
  reveal(form);

  // Where all rows have codes, these stay in their places, so that the order on the page
  // is the one in which entries are painted.
  const codes = () => [...rows.querySelectorAll("[name=code]")];
  const move = (change) => {
    const before = codes().map((c) => c.value);
    change();
    if (before.length > 0 && before.every(Boolean)) codes().forEach((c, i) => { c.value = before[i]; });
    look();
  };

  const add = () => {
    const row = template.content.firstElementChild.cloneNode(true);
    const key = String(next++);
    row.dataset.key = key;
    row.querySelector("[name=key]").value = key;
    row.querySelector("[name=drop]").value = key;
    row.querySelector("[name=color]").value = "#888888";
    rows.append(row);
    for (const e of row.querySelectorAll("[aria-label]")) {
      e.setAttribute("aria-label", e.getAttribute("aria-label").replace(/row \d+/, `row ${rows.children.length}`));
    }
    reveal(row);
    row.querySelector("[name=expression]").focus();
  };

  // A ramp of a named colormap has no stops of its own.
  const colormap = form.querySelector("[name=colormap]");
  const stops = () => {
    for (const e of form.querySelectorAll(".stops")) e.hidden = colormap.value !== "";
    document.getElementById("more").hidden = colormap.value !== "";
  };
  if (colormap) {
    colormap.addEventListener("change", stops);
    stops();
  }

  document.getElementById("more").addEventListener("click", (e) => { e.preventDefault(); add(); });
  rows.addEventListener("click", (e) => {
    const row = e.target.closest("tr");
    const button = e.target.closest("button");
    if (!button) return;
    if ("remove" in button.dataset) move(() => row.remove());
    if ("up" in button.dataset && row.previousElementSibling) move(() => row.previousElementSibling.before(row));
    if ("down" in button.dataset && row.nextElementSibling) move(() => row.nextElementSibling.after(row));
    if (!("remove" in button.dataset)) button.focus();
  });

  // Rows are drawn by their handle.
  let moving = null;
  rows.addEventListener("pointerdown", (e) => { const row = e.target.closest("tr"); if (row) row.draggable = e.target.closest(".order") !== null; });
  rows.addEventListener("dragstart", (e) => { moving = e.target.closest("tr"); moving.classList.add("moving"); e.dataTransfer.effectAllowed = "move"; });
  rows.addEventListener("dragover", (e) => { if (moving) e.preventDefault(); });
  rows.addEventListener("drop", (e) => {
    const over = e.target.closest("tr");
    if (!moving || !over || over === moving) return;
    e.preventDefault();
    const below = e.clientY > over.getBoundingClientRect().top + over.offsetHeight / 2;
    const row = moving;
    move(() => (below ? over.after(row) : over.before(row)));
  });
  rows.addEventListener("dragend", () => { moving?.classList.remove("moving"); moving = null; });

  form.addEventListener("input", (e) => {
    const row = e.target.closest("tr");
    if (e.target.matches("[data-pick]")) {
      const text = row.querySelector("[name=color]");
      const alpha = /^#[0-9a-f]{8}$/i.test(text.value) ? text.value.slice(7) : "";
      text.value = e.target.value.toUpperCase() + alpha;
    } else if (e.target.name === "color" && /^#[0-9a-f]{6}/i.test(e.target.value)) {
      row.querySelector("[data-pick]").value = e.target.value.slice(0, 7);
    }
    look();
  });

  let waiting;
  let asked = 0;
  const look = () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 300);
  };
  const ask = async () => {
    const number = ++asked;
    const sent = new URLSearchParams(new FormData(form));
    sent.set("do", "check");
    const answer = await fetch(form.action, { method: "POST", body: sent });
    if (!answer.ok || number !== asked) return;
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  };
  const show = (page) => {
    const found = page.getElementById("look");
    const here = document.getElementById("look");
    here.replaceChildren(...found.childNodes);
    if (found.dataset.tiles) document.getElementById("map")?.dispatchEvent(new CustomEvent("tiles", { detail: found.dataset.tiles }));
    for (const row of rows.children) {
      const other = page.querySelector(`#rows [data-key="${row.dataset.key}"]`);
      row.querySelectorAll(".wrong").forEach((p, i) => {
        p.textContent = other?.querySelectorAll(".wrong")[i].textContent ?? "";
        p.parentElement.querySelector("[name]").setAttribute("aria-invalid", String(p.textContent !== ""));
      });
    }
    const wrong = form.querySelector("[data-wrong]");
    if (wrong) wrong.textContent = page.querySelector("[data-wrong]").textContent;
  };

  // The order of the rows is that of the page.
  form.addEventListener("formdata", (e) => {
    e.formData.delete("place");
    [...rows.children].forEach((_, i) => e.formData.append("place", String(i)));
  });
}
