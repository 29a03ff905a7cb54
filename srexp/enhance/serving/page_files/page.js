// Joins the controls of the page with the server and the stage.

import { difference, fittingEnd, paint, paintLegend, paintMap, usualRange } from "./image.js";
import { restore, score, served, view } from "./server.js";
import { Stage } from "./stage.js";

const at = (id) => document.getElementById(id);
/** Ends of the scale of differences, in grey levels of 255. */
const ENDS = [0.1, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 255];
const ASKED = at("target-name").textContent;
const canvases = Object.fromEntries(["before", "after", "difference", "error"].map((name) => [name, document.createElement("canvas")]));
const stage = new Stage(at("canvas"), showPlace);

/** What is open: files, the images that came of them, and the window in values of the image before. */
let open = {};
let models = [];
let limits = {};
let running = new AbortController();
let painting = 0;

start();

async function start() {
  paintLegend(at("legend"));
  at("scale").replaceChildren(...ENDS.map((end) => new Option(end)));
  connect();
  try {
    ({ models, ...limits } = await served());
    at("model").replaceChildren(...models.map(({ model, scale }) => new Option(`${model}, x${scale}`, model)));
  } catch (error) {
    complain(error);
  }
}

function connect() {
  receive(at("drop"), at("file"), (file) => { open = { file, frame: 0 }; run(); });
  receive(at("target-drop"), at("target"), (target) => { open.target = target; measure(); });
  at("model").addEventListener("change", run);
  at("frame").addEventListener("change", () => {
    at("frame").value = Math.min(open.before.frames, Math.max(1, Math.round(at("frame").value) || 1));
    open.frame = at("frame").value - 1;
    open.range = null;
    run();
  });
  at("cancel").addEventListener("click", () => { running.abort(); finish("Cancelled."); });
  for (const id of ["level", "width"]) at(id).addEventListener("input", () => window_(Number(at("level").value), Number(at("width").value)));
  at("own-window").addEventListener("click", () => setRange(open.own));
  at("full-window").addEventListener("click", () => setRange([0, open.before.white]));
  for (const each of document.getElementsByName("view")) each.addEventListener("change", show);
  at("scale").addEventListener("change", paintMaps);
  at("slider").addEventListener("input", () => stage.divide(at("slider").value / 100));
  at("zoom-in").addEventListener("click", () => stage.zoomBy(1.25));
  at("zoom-out").addEventListener("click", () => stage.zoomBy(0.8));
  at("fit").addEventListener("click", () => stage.fit());
  at("actual").addEventListener("click", () => stage.actual());
}

/** Take a file that is chosen in an input, or dropped on its label. */
function receive(label, input, take) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // so that the same one can be chosen again
    if (file) take(file);
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    label.addEventListener(name, (event) => {
      event.preventDefault();
      event.stopPropagation();
      label.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    });
    document.addEventListener(name, (event) => event.preventDefault()); // a file dropped beside it would leave the page
  }
}

/** Restore the image that is open, with the model that is chosen. */
async function run() {
  if (!open.file) return;
  const { model, scale, intensity } = models[at("model").selectedIndex];
  const { file, frame } = open;
  forget();
  at("name").textContent = `${file.name}, ${size(file.size)}`;
  await work("Reading the image", async (signal) => {
    require(file);
    const before = await view(file, { frame, intensity, enlarge: scale }, signal);
    const own = before.window ?? usualRange(before);
    Object.assign(open, { before, own, range: open.range ?? (before.bits > 8 ? own : [0, before.white]), model, scale });
    at("frame-row").hidden = before.frames < 2;
    at("frame").max = before.frames;
    at("frames").textContent = `of ${before.frames}`;
    at("frame").value = frame + 1;
    for (const each of ["level", "width"]) Object.assign(at(each), { min: each === "width" ? 1 : 0, max: before.white });
    at("window-row").hidden = before.bits <= 8;
    at("own-window").textContent = before.window ? "As in the file" : "Usual range";
    setRange(open.range);
    step("Restoring");
    const { restored, distance, place } = await restore(file, { model, frame }, signal, (done, tiles) => step(`Restoring: ${done} of ${tiles} tiles`, done, tiles));
    step("Reading the result");
    const after = await view(restored, {}, signal);
    Object.assign(open, { restored, after, difference: difference(before, after) });
    at("scale").value = fittingEnd(open.difference, ENDS);
    offer(restored, file, scale);
    at("distance").textContent = distance.toFixed(2);
    at("worst-place").textContent = place.toFixed(1);
    at("fidelity").hidden = Number.isNaN(distance + place); // something between page and server may have dropped it
    paintImages();
    paintMaps();
    show();
    at("views").disabled = at("slider").disabled = at("target-drop").hidden = false;
    if (before.frames > 1) at("target-name").textContent = "or drop it here: the true image at the size of the result; of several frames, the same is taken";
    return `${before.height / scale} x ${before.width / scale} pixels became ${after.height} x ${after.width}, ${before.bits} bits.`;
  });
  if (open.target && open.after) measure();
}

/** Score the result against the target that is open. */
async function measure() {
  const { file, restored, target, model, frame } = open;
  at("target-name").textContent = `${target.name}, ${size(target.size)}`;
  await work("Measuring the error", async (signal) => {
    require(target);
    const found = await score(file, restored, target, { model, frame }, signal);
    open.error = found;
    at("scale").value = fittingEnd(found, ENDS);
    at("metrics").replaceChildren(...found.metrics.map(({ name, model: ours, bicubic, gain }) => row(name, ours, bicubic, gain)));
    at("protocol").replaceChildren(...Object.entries(found.protocol).flatMap(([name, value]) => [text("dt", name), text("dd", value)]));
    at("score").hidden = at("error-view").disabled = false;
    at("error-view").disabled = false;
    paintMaps();
    show();
    return `Measured: ${found.metrics.map(({ name, model: ours }) => `${name} ${ours}`).join(", ")}.`;
  });
}

/** Do something of which there is one at a time, and say how it goes. */
async function work(what, doing) {
  running.abort();
  const mine = (running = new AbortController());
  at("error").textContent = "";
  at("running").hidden = false;
  step(what);
  try {
    const done = await doing(mine.signal);
    if (mine === running) finish(done);
  } catch (error) {
    if (mine === running && error.name !== "AbortError") complain(error);
  }
}

function step(what, done, of) {
  at("step").textContent = what;
  at("status").textContent = done === undefined ? `${what} …` : at("status").textContent;
  if (done === undefined) at("progress").removeAttribute("value");
  else Object.assign(at("progress"), { value: done, max: of });
}

function finish(said) {
  at("running").hidden = true;
  at("status").textContent = said;
}

function complain(error) {
  finish("");
  at("error").textContent = error.message;
}

/** Refuse what the server would, without sending it. */
function require(file) {
  if (file.size > limits.max_bytes) throw new Error(`${file.name} has ${size(file.size)}; the server takes at most ${size(limits.max_bytes)}.`);
}

function forget() {
  for (const each of ["after", "restored", "difference", "error"]) delete open[each];
  for (const each of ["score", "download-row", "fidelity", "target-drop"]) at(each).hidden = true;
  at("views").disabled = at("slider").disabled = at("error-view").disabled = true;
  at("views").querySelector("[value=slider]").checked = true;
  if (!open.before) {
    stage.show([]);
    for (const each of ["before-tag", "after-tag", "frame-row", "window-row"]) at(each).hidden = true;
  }
  if (!open.target) at("target-name").textContent = ASKED;
}

function offer(restored, file, scale) {
  const link = at("download");
  if (link.href) URL.revokeObjectURL(link.href);
  const [, stem, ending] = /^(.*?)(\.[^.]*)?$/s.exec(file.name);
  link.href = URL.createObjectURL(restored);
  link.download = `${stem}${open.before.frames > 1 ? `-frame${open.frame + 1}` : ""}-x${scale}${ending ?? ""}`;
  at("download-row").hidden = false;
}

function setRange([low, high]) {
  open.range = [low, high];
  at("width").value = high - low;
  at("level").value = (low + high) / 2;
  at("width-value").textContent = Math.round(high - low);
  at("level-value").textContent = Math.round((low + high) / 2);
  cancelAnimationFrame(painting);
  painting = requestAnimationFrame(paintImages);
}

function window_(level, width) {
  setRange([level - width / 2, level + width / 2]);
}

function paintImages() {
  const { before, after, range } = open;
  if (!before) return;
  const shares = range.map((end) => end / before.white);
  paint(canvases.before, before, shares);
  if (after) paint(canvases.after, after, shares);
  if (after) stage.draw();
  else show();
}

function paintMaps() {
  for (const name of ["difference", "error"]) if (open[name]) paintMap(canvases[name], open[name], Number(at("scale").value));
  stage.draw();
}

/** Put on the stage what is chosen. */
function show() {
  const chosen = document.querySelector("[name=view]:checked").value;
  const map = chosen !== "slider";
  at("empty").hidden = true;
  at("slider-row").hidden = map;
  at("scale-row").hidden = !map;
  stage.show(map ? [canvases[chosen]] : open.after ? [canvases.before, canvases.after] : [canvases.before]);
  tag("before-tag", chosen === "error" ? "Result against target" : map ? "Result against bicubic" : "Bicubic");
  tag("after-tag", map || !open.after ? "" : open.model);
}

function tag(id, said) {
  at(id).hidden = !said;
  at(id).textContent = said;
}

function showPlace({ place, divider }) {
  at("zoom").textContent = `${Math.round(100 * place.zoom)} %`;
  at("slider").value = 100 * divider;
}

function row(name, ...values) {
  const line = document.createElement("tr");
  const head = text("th", name);
  head.scope = "row";
  line.append(head, ...values.map((value) => text("td", value)));
  return line;
}

function text(kind, said) {
  const element = document.createElement(kind);
  element.textContent = said;
  return element;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
