// The state of a parse, as it changes.

const server = document.body.dataset.server;

// follow shows the events of a layer's parse in an element of its own, and loads the page
// again when the parse has ended.
function follow(element) {
  const source = new EventSource(`${server}api/v1/layers/${element.dataset.live}/events`);
  const status = element.querySelector(".status");
  const bar = element.querySelector("progress");
  const left = element.querySelector("[data-left]");
  const show = (event) => {
    const p = JSON.parse(event.data);
    const percent = Math.floor(p.percent ?? 0);
    if (status && p.status) status.textContent = `${p.status} ${percent} %`;
    if (bar) bar.value = percent;
    if (left && p.tiles_planned) {
      const wait = p.seconds_left ? `, ${p.seconds_left} s left` : "";
      left.textContent = `${p.tiles_done} of ${p.tiles_planned} tiles${wait}`;
    }
    if (["finished", "failed", "cancelled"].includes(p.status)) {
      source.close();
      delete element.dataset.live;
      ended();
    }
  };
  for (const name of ["parse", "end"]) source.addEventListener(name, show);
}

// ended loads the page again, unless a form on it has been begun or files are on their
// way: then it is only said.
function ended() {
  document.dispatchEvent(new Event("parse-ended"));
  const begun = document.querySelector("#uploads li") || [...document.querySelectorAll("form input, form textarea")].some(
    (i) => i.type !== "hidden" && i.type !== "checkbox" && i.defaultValue !== i.value,
  );
  if (!begun) location.reload();
}

// followParses follows the parses on the page that are not followed yet.
export function followParses() {
  for (const element of document.querySelectorAll("[data-live]:not([data-followed])")) {
    element.dataset.followed = "";
    follow(element);
  }
}
