// What is seen of the images: both lie under one transformation, and a slider divides them.

const STEP = 1.25;
const GRIP = 18;
const MOST = 64;

/** A canvas that shows one layer, or two of them side by side of a slider, moved and zoomed as one. */
export class Stage {
  /** @param changed called with the stage when its zoom or its slider has changed */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.layers = [];
    this.divider = 0.5;
    this.pointers = new Map();
    this.place = { zoom: 1, x: 0, y: 0 };
    this.fitted = true;
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    for (const [event, act] of Object.entries({
      pointerdown: this.press, pointermove: this.drag, pointerup: this.release, pointercancel: this.release,
      wheel: this.wheel, keydown: this.key, dblclick: this.fit,
    })) canvas.addEventListener(event, act.bind(this), { passive: false });
    this.resize();
  }

  /** Show canvases of one size: one, or two with the slider between them. */
  show(layers) {
    const same = this.layers[0]?.width === layers[0]?.width && this.layers[0]?.height === layers[0]?.height;
    this.layers = layers;
    if (same && !this.fitted) this.draw();
    else this.fit();
  }

  /** Divide the stage at a share of its width. */
  divide(share) {
    this.divider = Math.min(1, Math.max(0, share));
    this.draw();
  }

  /** Show the whole image. */
  fit() {
    const [image] = this.layers;
    if (image) {
      const { width, height } = this.canvas;
      const zoom = Math.min(width / image.width, height / image.height);
      this.place = { zoom, x: (width - image.width * zoom) / 2, y: (height - image.height * zoom) / 2 };
    }
    this.fitted = true;
    this.draw();
  }

  /** Zoom by a factor about a point of the canvas, its middle if none is given. */
  zoomBy(factor, at = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    const [image] = this.layers;
    if (!image) return;
    const least = Math.min(1, this.canvas.width / image.width, this.canvas.height / image.height) / 4;
    const zoom = Math.min(MOST, Math.max(least, this.place.zoom * factor));
    const by = zoom / this.place.zoom;
    this.move(at.x - (at.x - this.place.x) * by, at.y - (at.y - this.place.y) * by, zoom);
  }

  /** Show a pixel of the image as one of the screen. */
  actual() {
    this.zoomBy(1 / this.place.zoom);
  }

  move(x, y, zoom = this.place.zoom) {
    const [image] = this.layers;
    const keep = 40;
    const within = (from, length, room) => Math.min(room - keep, Math.max(keep - length * zoom, from));
    this.place = { zoom, x: within(x, image.width, this.canvas.width), y: within(y, image.height, this.canvas.height) };
    this.fitted = false;
    this.draw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    this.ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(clientWidth * this.ratio);
    this.canvas.height = Math.round(clientHeight * this.ratio);
    if (this.fitted) this.fit();
    else this.draw();
  }

  draw() {
    this.changed(this);
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      const context = this.canvas.getContext("2d");
      const { width, height } = this.canvas;
      context.clearRect(0, 0, width, height);
      const { zoom, x, y } = this.place;
      context.imageSmoothingEnabled = zoom < 1;
      context.imageSmoothingQuality = "high";
      const cut = Math.round(this.divider * width);
      this.layers.forEach((layer, number) => {
        const [left, right] = this.layers.length < 2 ? [0, width] : number ? [cut, width] : [0, cut];
        if (right <= left) return;
        context.save();
        context.beginPath();
        context.rect(left, 0, right - left, height);
        context.clip();
        context.drawImage(layer, x, y, layer.width * zoom, layer.height * zoom);
        context.restore();
      });
      if (this.layers.length > 1) this.drawDivider(context, cut, height);
    });
  }

  drawDivider(context, x, height) {
    const unit = this.ratio;
    for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * unit;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, height);
      context.stroke();
    }
    context.fillStyle = "#fff";
    context.strokeStyle = "#000";
    context.lineWidth = unit;
    context.beginPath();
    context.arc(x, height / 2, 14 * unit, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.fillStyle = "#000";
    for (const side of [-1, 1]) {
      context.beginPath();
      context.moveTo(x + side * 9 * unit, height / 2);
      context.lineTo(x + side * 3 * unit, height / 2 - 5 * unit);
      context.lineTo(x + side * 3 * unit, height / 2 + 5 * unit);
      context.fill();
    }
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) * this.ratio, y: (event.clientY - box.top) * this.ratio };
  }

  press(event) {
    if (!this.layers.length || event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.at(event);
    const near = Math.abs(point.x - this.divider * this.canvas.width) < GRIP * this.ratio;
    this.slides = this.layers.length > 1 && near && this.pointers.size === 0;
    this.pointers.set(event.pointerId, point);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const point = this.at(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, point);
    if (this.slides) {
      this.divide(point.x / this.canvas.width);
    } else if (other) {
      const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      this.zoomBy(apart(point) / apart(before), { x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 });
    } else {
      this.move(this.place.x + point.x - before.x, this.place.y + point.y - before.y);
    }
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    this.slides = false;
  }

  wheel(event) {
    if (!this.layers.length) return;
    event.preventDefault();
    this.zoomBy(STEP ** Math.max(-2, Math.min(2, -event.deltaY / 60)), this.at(event));
  }

  key(event) {
    const step = 60 * this.ratio;
    const { x, y } = this.place;
    const act = {
      ArrowLeft: () => this.move(x + step, y), ArrowRight: () => this.move(x - step, y),
      ArrowUp: () => this.move(x, y + step), ArrowDown: () => this.move(x, y - step),
      "+": () => this.zoomBy(STEP), "=": () => this.zoomBy(STEP), "-": () => this.zoomBy(1 / STEP), 0: () => this.fit(),
      ",": () => this.divide(this.divider - 0.02), ".": () => this.divide(this.divider + 0.02),
    }[event.key];
    if (!act || !this.layers.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }
}
