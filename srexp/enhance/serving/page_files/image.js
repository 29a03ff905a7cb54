// Values that the server packed, and how they become colours on a canvas.

/** Colours of the scale from 0 to its end; black is none, brighter is more. */
const STOPS = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];

/** Read a line of facts and the values behind it: bytes up to 8 bits, else words, the lower byte first. */
export function unpack(buffer) {
  const end = new Uint8Array(buffer).indexOf(10);
  const facts = JSON.parse(new TextDecoder().decode(buffer.slice(0, end)));
  const values = buffer.slice(end + 1);
  return { ...facts, white: 2 ** facts.bits - 1, values: facts.bits > 8 ? new Uint16Array(values) : new Uint8Array(values) };
}

/** The range between the half per cent of the darkest and of the brightest values. */
export function usualRange(image) {
  const counts = new Uint32Array(image.white + 1);
  for (const value of image.values) counts[value] += 1;
  const beyond = image.values.length / 200;
  let low = 0;
  let high = image.white;
  for (let sum = counts[low]; sum <= beyond && low < high; sum += counts[low]) low += 1;
  for (let sum = counts[high]; sum <= beyond && high > low; sum += counts[high]) high -= 1;
  return [low, Math.max(high, low + 1)];
}

/** Draw an image on a canvas of its size; low and high, shares of white, become black and white. */
export function paint(canvas, image, [low, high]) {
  const table = new Uint8ClampedArray(image.white + 1);
  for (let value = 0; value <= image.white; value += 1) table[value] = (255 * (value / image.white - low)) / (high - low);
  const { values, channels } = image;
  fill(canvas, image, (pixels, count) => {
    for (let from = 0, to = 0; to < 4 * count; from += channels, to += 4) {
      pixels[to] = table[values[from]];
      pixels[to + 1] = channels > 1 ? table[values[from + 1]] : pixels[to];
      pixels[to + 2] = channels > 1 ? table[values[from + 2]] : pixels[to];
      pixels[to + 3] = 255;
    }
  });
}

/** How far two images of one size are apart, in steps of a grey level of 255, as the server packs errors. */
export function difference(one, other, steps = 256) {
  const { height, width, channels } = one;
  const values = new Uint16Array(height * width);
  const [factor, otherFactor] = [one.white, other.white].map((white) => (255 * steps) / white / channels);
  for (let pixel = 0, from = 0; pixel < values.length; pixel += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1, from += 1)
      sum += Math.abs(one.values[from] * factor - other.values[from] * otherFactor);
    values[pixel] = Math.min(65535, Math.round(sum));
  }
  return { height, width, channels: 1, steps, values };
}

/** Draw a map of errors, the end of the scale being at so many grey levels. */
export function paintMap(canvas, map, end) {
  const table = colours(256);
  const factor = 255 / (end * map.steps);
  fill(canvas, map, (pixels, count) => {
    const words = new Uint32Array(pixels.buffer);
    for (let pixel = 0; pixel < count; pixel += 1) words[pixel] = table[Math.min(255, Math.round(map.values[pixel] * factor))];
  });
}

/** The end of a scale that hardly any pixel of a map is beyond. */
export function fittingEnd(map, ends) {
  const counts = new Uint32Array(65536);
  for (const value of map.values) counts[value] += 1;
  return ends.find((end) => {
    let beyond = 0;
    for (let value = Math.round(end * map.steps); value < counts.length; value += 1) beyond += counts[value];
    return beyond <= map.values.length / 200;
  }) ?? ends.at(-1);
}

/** Draw the scale itself. */
export function paintLegend(canvas) {
  fill(canvas, { height: 1, width: 256 }, (pixels) => new Uint32Array(pixels.buffer).set(colours(256)));
}

function colours(count) {
  const bytes = new Uint8ClampedArray(4 * count);
  for (let place = 0; place < count; place += 1) {
    const at = (place / (count - 1)) * (STOPS.length - 1);
    const stop = Math.min(Math.floor(at), STOPS.length - 2);
    const colour = STOPS[stop].map((from, part) => from + (STOPS[stop + 1][part] - from) * (at - stop));
    bytes.set([...colour, 255], 4 * place);
  }
  return new Uint32Array(bytes.buffer);
}

function fill(canvas, { height, width }, draw) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  draw(image.data, height * width);
  context.putImageData(image, 0, 0);
}
