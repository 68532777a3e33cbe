// What the pages do beyond plain forms.
import { followParses } from "./live.js";
import { editLegend } from "./legend.js";
import { takeUploads } from "./uploads.js";

for (const hidden of document.querySelectorAll(".script[hidden]")) hidden.hidden = false;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
  });
}

const form = document.getElementById("upload");
if (form) takeUploads(form);
followParses();
const legend = document.getElementById("legend");
if (legend) editLegend(legend);
// Another layer to look at by a legend: what was typed goes along, unsaved.
const choice = document.querySelector("#choose select");
choice?.addEventListener("change", () => {
  const check = legend?.querySelector("[name=do][value=check]");
  if (!check) return choice.form.submit();
  legend.elements.layer.value = choice.value;
  legend.requestSubmit(check);
});
const map = document.getElementById("map");
if (map) {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("map.css", import.meta.url);
  document.head.append(style);
  const { showLayer } = await import(new URL("map.js", import.meta.url));
  showLayer(map);
}
