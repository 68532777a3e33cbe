// Uploads that go on after the connection was lost, several at a time, by the tus
// protocol.
import { Upload, defaultOptions } from "tus-js-client";
import { followParses } from "./live.js";

const server = new URL(document.body.dataset.server, location.href);

// pieces are the sizes in bytes that are tried: a proxy may refuse large ones.
const pieces = [64 << 20, 8 << 20, 900 << 10];

export function takeUploads(form) {
  const file = document.getElementById("file");
  const drop = document.getElementById("drop");
  const list = document.getElementById("uploads");
  document.addEventListener("parse-ended", showList);
  const begin = (files) => {
    const settings = new FormData(form);
    const all = withSidecars([...files].filter((f) => f.size), file.dataset.sidecars.split(" "));
    for (const f of all) send(f.raster, f.beside, settings, list.appendChild(document.createElement("li")), all.length === 1);
    file.value = "";
  };
  drop.addEventListener("dragover", (e) => { e.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (e) => {
    e.preventDefault();
    drop.classList.remove("over");
    begin(e.dataTransfer.files);
  });
  form.addEventListener("submit", (e) => {
    if (!file.files.length) return; // an address or a path: a plain form
    e.preventDefault();
    begin(file.files);
  });
}

// send uploads a file, makes a layer of it, and shows both in a row of the list. Where
// files are to be looked at first it leads to the page for that: at once if the file is
// the only one.
function send(file, beside, settings, row, only) {
  const name = document.createElement("span");
  name.append(Object.assign(document.createElement("bdi"), { className: "name", textContent: file.name }));
  if (beside.length) name.append(Object.assign(document.createElement("small"), { textContent: ` with ${beside.map((f) => f.name).join(", ")}` }));
  const said = Object.assign(document.createElement("span"), { textContent: "waiting" });
  const bar = Object.assign(document.createElement("progress"), { max: file.size, value: 0 });
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  row.replaceChildren(name, said, bar);
  const tell = (text, bad) => { said.textContent = text; said.className = bad ? "bad" : ""; };
  let piece = 0;
  const upload = new Upload(file, {
    endpoint: new URL("api/v1/uploads", server).href,
    chunkSize: pieces[piece],
    retryDelays: [0, 500, 1000, 2000, 4000, 8000, 15000, 30000],
    removeFingerprintOnSuccess: true,
    metadata: { filename: file.name },
    onProgress: (sent, size) => { bar.value = sent; tell(`${Math.floor((100 * sent) / size)} %`); },
    onShouldRetry: (error, attempt, options) => {
      if (error.originalResponse?.getStatus() === 413 && piece < pieces.length - 1) {
        upload.options.chunkSize = pieces[++piece];
        return true;
      }
      tell("the connection is lost; trying again");
      return defaultOptions.onShouldRetry(error, attempt, options);
    },
    onError: (error) => tell(reason(error), true),
    onSuccess: async () => {
      bar.remove();
      for (const f of beside) {
        if (/\.ovr$/i.test(f.name)) continue; // overviews are made here
        tell(`sending ${f.name}`);
        const refused = await sendBeside(upload.url, f);
        if (refused) return tell(`${f.name}: ${refused}`, true);
      }
      const body = new FormData();
      for (const [k, v] of settings) if (!["file", "address", "path", "look"].includes(k)) body.append(k, v);
      body.append("upload", upload.url.split("/").pop());
      if (settings.has("look")) {
        const at = new URL("layers/preview", new URL(document.body.dataset.root, location.href));
        for (const [k, v] of body) if (v) at.searchParams.set(k, v);
        said.replaceChildren(Object.assign(document.createElement("a"), { href: at, textContent: "look at it and add it" }));
        if (only) location.assign(at);
        return;
      }
      tell("making the layer");
      const answer = await fetch(form().action, { method: "POST", body });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok) {
        tell(page.querySelector(".problem strong")?.textContent ?? "the layer could not be made", true);
        return;
      }
      const link = Object.assign(document.createElement("a"), { href: answer.url, textContent: "open the layer" });
      said.replaceChildren(link);
      said.className = "";
      showList();
    },
  });
  upload.findPreviousUploads().then((before) => {
    if (before.length) upload.resumeFromPreviousUpload(before[0]);
    upload.start();
  });
}

// withSidecars puts the side-cars among files with their rasters: those whose name is
// that of a raster, with or without its own ending, and one of some endings.
function withSidecars(files, endings) {
  const stem = (name) => name.replace(/\.(zip|gz)$/, "").replace(/(.)\.[^.]*$/, "$1");
  const all = [...endings, ".ovr"];
  const lower = (f) => f.name.toLowerCase();
  const whole = files.filter((f) => !all.some((e) => lower(f).endsWith(e)));
  const belongs = (name, raster) => all.some((e) => name === raster + e || name === stem(raster) + e);
  const of = (f) => whole.find((r) => r !== f && belongs(lower(f), lower(r)));
  const rasters = files.filter((f) => !of(f));
  return rasters.map((raster) => ({ raster, beside: files.filter((f) => of(f) === raster) }));
}

// sendBeside puts a side-car beside an upload, and says why it could not.
async function sendBeside(upload, file) {
  try {
    const answer = await fetch(`${upload}/files/${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
    return answer.ok ? "" : ((await answer.json().catch(() => ({}))).detail ?? "it was refused");
  } catch {
    return "the connection is lost: choose the files again";
  }
}

// showList shows the layers as they are now.
async function showList() {
  const answer = await fetch(location.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const list = page.getElementById("list");
  if (!answer.ok || !list) return;
  document.getElementById("list").replaceWith(document.adoptNode(list));
  followParses();
}

const form = () => document.getElementById("upload");

// reason is what the server says of a refused upload.
function reason(error) {
  try {
    const problem = JSON.parse(error.originalResponse.getBody());
    return problem.hint ? `${problem.detail}; ${problem.hint}` : problem.detail;
  } catch {
    return "the upload failed: choose the file again, and it goes on where it stopped";
  }
}
