// One canvas with a picture on it: fit, zoom, pan, and the gestures of mouse, pen and fingers. Knows no DICOM.

const ZOOM_MIN = 0.1;
const ZOOM_MAX = 40;
const WHEEL_STEP = 40;

/**
 * `on`: `{scroll(steps), window(dx, dy, begin), moved()}`. `tool` says what a plain drag does: "window", "pan", "zoom" or "scroll".
 */
export class Viewport {
  constructor(canvas, on) {
    this.canvas = canvas;
    this.on = on;
    this.tool = "window";
    this.picture = null;
    this.pointers = new Map();
    this.wheel = 0;
    this.home();
    this.listen();
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(canvas);
  }

  dispose() {
    this.watcher.disconnect();
    cancelAnimationFrame(this.drawing);
  }

  /** Fit, centred. */
  home() {
    this.zoom = 1;
    this.panX = 0;
    this.panY = 0;
  }

  /** Shows `source` (a canvas or bitmap) standing for a matrix of `columns` × `rows` with `aspect` = pixel height / width. */
  show(source, { columns, rows, aspect, smooth }) {
    this.picture = source ? { source, width: columns, height: rows * aspect, smooth } : null;
    this.drawSoon();
  }

  /** Gives the canvas as many pixels as it takes of the screen. */
  measure() {
    const ratio = globalThis.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
  }

  resize() {
    this.measure();
    this.draw();
    this.on.moved();
  }

  drawSoon() {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.draw());
  }

  /** Device pixels an image column takes. */
  scale() {
    return this.picture ? this.fitted(this.picture) : 1;
  }

  /** The same for a matrix that is not shown yet. */
  scaleOf({ columns, rows, aspect }) {
    return this.fitted({ width: columns, height: rows * aspect });
  }

  fitted({ width, height }) {
    return Math.min(this.canvas.width / width, this.canvas.height / height) * this.zoom;
  }

  draw() {
    const context = this.canvas.getContext("2d", { alpha: false });
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.picture) return;
    const scale = this.scale();
    const width = this.picture.width * scale;
    const height = this.picture.height * scale;
    const ratio = globalThis.devicePixelRatio || 1;
    // From three screen pixels a sample on, the samples themselves are shown.
    context.imageSmoothingEnabled = this.picture.smooth || scale < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture.source, (this.canvas.width - width) / 2 + this.panX * ratio, (this.canvas.height - height) / 2 + this.panY * ratio, width, height);
  }

  /** One image column on one screen pixel. */
  oneToOne() {
    this.zoomBy(1 / this.scale());
  }

  /** Zooms by `factor` around a point in CSS pixels from the middle of the canvas. */
  zoomBy(factor, x = 0, y = 0) {
    const next = Math.max(ZOOM_MIN, Math.min(ZOOM_MAX, this.zoom * factor));
    const applied = next / this.zoom;
    this.zoom = next;
    this.panX = x - (x - this.panX) * applied;
    this.panY = y - (y - this.panY) * applied;
    this.moved();
  }

  panBy(dx, dy) {
    this.panX += dx;
    this.panY += dy;
    this.moved();
  }

  moved() {
    this.drawSoon();
    this.on.moved();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.onEnd(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("auxclick", (event) => event.preventDefault());
  }

  fromMiddle(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  onWheel(event) {
    event.preventDefault();
    const delta = event.deltaMode === 1 ? event.deltaY * WHEEL_STEP : event.deltaY;
    if (event.ctrlKey) return this.zoomBy(Math.exp(-delta / 400), ...this.fromMiddle(event));
    // A wheel sends about 100 a notch, a touchpad many small ones: a step each notch, or each 40 gathered.
    this.wheel += Math.abs(delta) >= 50 ? Math.sign(delta) * WHEEL_STEP : delta;
    const steps = Math.trunc(this.wheel / WHEEL_STEP);
    this.wheel -= steps * WHEEL_STEP;
    if (steps) this.on.scroll(steps);
  }

  onDown(event) {
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const tool = event.button === 1 || event.shiftKey ? "pan" : event.button === 2 || event.ctrlKey ? "zoom" : this.tool;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY, tool, travelled: 0 });
    if (this.pointers.size === 1 && tool === "window") this.on.window(0, 0, true);
    if (event.button === 1) event.preventDefault();
  }

  // The finger that stays after a pinch begins anew from where it is, or the window would jump.
  onEnd(event) {
    this.pointers.delete(event.pointerId);
    for (const pointer of this.pointers.values()) {
      Object.assign(pointer, { startX: pointer.x, startY: pointer.y, travelled: 0 });
      if (pointer.tool === "window") this.on.window(0, 0, true);
    }
  }

  onMove(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return;
    const before = [...this.pointers.values()].map(({ x, y }) => ({ x, y }));
    const dx = event.clientX - pointer.x;
    const dy = event.clientY - pointer.y;
    pointer.x = event.clientX;
    pointer.y = event.clientY;
    if (this.pointers.size === 2) this.pinch(before, [...this.pointers.values()]);
    else if (this.pointers.size === 1) this.drag(pointer, dx, dy);
  }

  // Two fingers: their middle pans, their distance zooms.
  pinch(before, after) {
    const middle = ([a, b]) => ({ clientX: (a.x + b.x) / 2, clientY: (a.y + b.y) / 2 });
    const apart = ([a, b]) => Math.max(10, Math.hypot(a.x - b.x, a.y - b.y));
    const from = middle(before);
    const to = middle(after);
    this.panBy(to.clientX - from.clientX, to.clientY - from.clientY);
    this.zoomBy(apart(after) / apart(before), ...this.fromMiddle(to));
  }

  drag(pointer, dx, dy) {
    if (pointer.tool === "window") this.on.window(pointer.x - pointer.startX, pointer.y - pointer.startY, false);
    else if (pointer.tool === "pan") this.panBy(dx, dy);
    else if (pointer.tool === "zoom") this.zoomBy(Math.exp(-dy / 150), ...this.fromMiddle({ clientX: pointer.startX, clientY: pointer.startY }));
    else this.dragScroll(pointer, dy);
  }

  dragScroll(pointer, dy) {
    pointer.travelled += dy;
    const steps = Math.trunc(pointer.travelled / 12);
    pointer.travelled -= steps * 12;
    if (steps) this.on.scroll(steps);
  }
}
