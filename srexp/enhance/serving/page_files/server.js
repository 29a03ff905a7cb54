// What the page asks its server for; it asks no other one.

import { unpack } from "./image.js";

/** The models, and what an image may have. */
export async function served() {
  return (await answered(fetch("models"))).json();
}

/** An image's values, enlarged by bicubic interpolation if asked for. */
export async function view(file, options, signal) {
  return unpack(await (await post("view", file, options, signal)).arrayBuffer());
}

/** The restored file, and how far it is from the image when it is reduced again, in all and at the worst place. `onTiles` is told how many of how many tiles are done. */
export async function restore(file, options, signal, onTiles) {
  const ticket = [...crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(16)).join("");
  const timer = setInterval(async () => {
    try {
      const { done, tiles } = await (await fetch(`progress?ticket=${ticket}`, { signal })).json();
      if (tiles > 1) onTiles(done, tiles);
    } catch {
      // the next one may come through
    }
  }, 400);
  try {
    const answer = await post("restore", file, { ...options, check: true, ticket }, signal);
    const [distance, place] = ["Srexp-Distance", "Srexp-Worst-Place"].map((name) => parseFloat(answer.headers.get(name)));
    return { restored: await answer.blob(), distance, place };
  } finally {
    clearInterval(timer);
  }
}

/** What a restored file scores against its target, with the error of every pixel. */
export async function score(image, restored, target, options, signal) {
  const sizes = `${image.size},${restored.size}`;
  const body = new Blob([image, restored, target]);
  return unpack(await (await post("score", body, { ...options, sizes }, signal)).arrayBuffer());
}

function post(path, body, options, signal) {
  return answered(fetch(`${path}?${new URLSearchParams(options)}`, { method: "POST", body, signal }));
}

async function answered(asked) {
  const answer = await asked;
  if (answer.ok) return answer;
  const text = await answer.text();
  let reason = text;
  try {
    reason = JSON.parse(text).error;
  } catch {
    // said by something between here and the server
  }
  throw new Error(reason || `the server answers ${answer.status}`);
}
