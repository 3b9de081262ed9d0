// Mouse, pen and fingers on a view: which tool a button has, the wheel, two fingers. A tool is
// `{cursor, down(at, event, view), move(at, event, view), up(at, event, view), cancel(view)}` with at = {x, y, column, row}.

import { draggedWindow } from "./voi.js";

const WHEEL_STEP = 40;
/** CSS pixels until two fingers have said whether they zoom or window. */
const DECIDED = 12;

/** Drag to window: to the right wider, down higher centre. */
export const WINDOW = dragging("crosshair", {
  begin: (view) => (view.frame?.isColour ? null : view.shownVoi),
  drag(view, dx, dy, start) { if (start) view.setVoi(draggedWindow(start, dx, dy)); },
});

/** Drag to move the image. */
export const PAN = dragging("grab", { step: (view, dx, dy) => view.pan(dx, dy) });

/** Drag up to enlarge around where the drag began. */
export const ZOOM = dragging("ns-resize", { step: (view, dx, dy, from) => view.zoomAt(Math.exp(-dy / 150), from.x, from.y) });

/** Drag to scroll, a frame each 12 pixels. */
export const SCROLL = dragging("row-resize", {
  begin: () => ({ steps: 0 }),
  drag(view, dx, dy, state) {
    const steps = Math.trunc(dy / 12);
    if (steps !== state.steps) view.go(view.index + steps - state.steps);
    state.steps = steps;
  },
});

// A tool that only looks at how far the pointer has come.
function dragging(cursor, { begin = () => null, drag = () => {}, step = () => {} }) {
  const running = new WeakMap();
  return {
    cursor,
    down(at, event, view) { running.set(view, { from: at, last: at, state: begin(view) }); },
    move(at, event, view) {
      const one = running.get(view);
      if (!one) return;
      drag(view, at.x - one.from.x, at.y - one.from.y, one.state);
      step(view, at.x - one.last.x, at.y - one.last.y, one.from);
      one.last = at;
    },
    up(at, event, view) { running.delete(view); },
    cancel(view) { running.delete(view); },
  };
}

/** Listens on `canvas` for `view`. `tools[button]` is used by that button; the first also by pen and finger. */
export class Gestures {
  #pointers = new Map();
  #running = null;
  #two = null;
  #wheel = 0;

  constructor(canvas, view) {
    Object.assign(this, { canvas, view, tools: [WINDOW, PAN, ZOOM] });
    this.stop = new AbortController();
    const on = (type, handler, options = {}) => canvas.addEventListener(type, (event) => handler.call(this, event), { signal: this.stop.signal, ...options });
    on("wheel", this.#onWheel, { passive: false });
    on("pointerdown", this.#onDown);
    on("pointermove", this.#onMove);
    on("pointerup", this.#onUp);
    on("pointercancel", this.#onUp);
    on("contextmenu", (event) => event.preventDefault());
    on("auxclick", (event) => event.preventDefault());
    canvas.style.cursor = this.tools[0].cursor;
  }

  dispose() {
    this.cancel();
    this.stop.abort();
  }

  /** Whether a pointer is down. */
  get isBusy() {
    return this.#pointers.size > 0;
  }

  /** The same for another canvas, which takes this one's place. */
  moved(canvas) {
    const other = new Gestures(canvas, this.view);
    this.tools.forEach((tool, button) => other.setTool(button, tool));
    this.dispose();
    return other;
  }

  setTool(button, tool) {
    this.giveUp(button);
    this.tools[button] = tool ?? [WINDOW, PAN, ZOOM][button];
    if (button === 0) this.canvas.style.cursor = this.tools[0].cursor ?? "default";
  }

  /** Ends what runs, as if it had not been. */
  cancel() {
    this.#running?.tool.cancel?.(this.view);
    this.#running = null;
  }

  /** The same of a tool that works without a pointer down as well: a mark that is half drawn, from click to click. */
  giveUp(button = 0) {
    if (this.#running?.button === button) this.#running = null;
    this.tools[button].cancel?.(this.view);
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const [column, row] = this.view.screenToImage([x, y]);
    return { x, y, column, row };
  }

  #onWheel(event) {
    event.preventDefault();
    const delta = event.deltaMode === 1 ? event.deltaY * WHEEL_STEP : event.deltaY;
    if (event.ctrlKey || event.metaKey) {
      const { x, y } = this.#at(event);
      return this.view.zoomAt(Math.exp(-delta / 400), x, y);
    }
    // A wheel sends about 100 a notch, a touchpad many small ones: a step each notch, or each 40 gathered.
    this.#wheel += Math.abs(delta) >= 50 ? Math.sign(delta) * WHEEL_STEP : delta;
    const steps = Math.trunc(this.#wheel / WHEEL_STEP);
    this.#wheel -= steps * WHEEL_STEP;
    if (steps) this.view.go(this.view.index + steps);
  }

  #onDown(event) {
    this.canvas.focus({ preventScroll: true });
    this.view.activate();
    this.#capture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (event.button === 1) event.preventDefault();
    if (this.#pointers.size === 2) return this.#beginTwo();
    if (this.#pointers.size > 2 || !this.view.frame) return;
    const button = event.button === 0 && event.shiftKey ? 1 : event.button === 0 && event.ctrlKey ? 2 : event.button;
    const tool = this.tools[button];
    if (!tool) return;
    this.#running = { tool, button, pointer: event.pointerId };
    tool.down?.(this.#at(event), event, this.view);
  }

  // A pointer that is not the browser's (a test's, or one that has just left) cannot be captured; dragging works all the same.
  #capture(pointer) {
    try { this.canvas.setPointerCapture(pointer); } catch { /* see above */ }
  }

  #onMove(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) {
      // Tools may follow the pointer without a button: a magnifier, a probe.
      if (this.view.frame) this.tools[0].hover?.(this.#at(event), event, this.view);
      return;
    }
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
    if (this.#two) return this.#moveTwo();
    if (this.#running?.pointer === event.pointerId) this.#running.tool.move?.(this.#at(event), event, this.view);
  }

  #onUp(event) {
    this.#pointers.delete(event.pointerId);
    // The finger that stays after two does nothing more, or the window would jump.
    if (this.#two) {
      if (this.#pointers.size === 0) this.#two = null;
      return;
    }
    if (this.#running?.pointer !== event.pointerId) return;
    const { tool } = this.#running;
    this.#running = null;
    if (event.type === "pointercancel") tool.cancel?.(this.view);
    else tool.up?.(this.#at(event), event, this.view);
  }

  #beginTwo() {
    this.cancel();
    const now = this.#fingers();
    this.#two = { start: now, last: now, kind: "", voi: this.view.frame?.isColour ? null : this.view.shownVoi };
  }

  #fingers() {
    const [a, b] = [...this.#pointers.values()];
    const box = this.canvas.getBoundingClientRect();
    return { x: (a.x + b.x) / 2 - box.left, y: (a.y + b.y) / 2 - box.top, apart: Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)) };
  }

  // Two fingers that move apart zoom and pan; two that move together window.
  #moveTwo() {
    if (this.#pointers.size !== 2) return;
    const two = this.#two;
    const now = this.#fingers();
    const spread = Math.abs(now.apart - two.start.apart);
    const moved = Math.hypot(now.x - two.start.x, now.y - two.start.y);
    if (!two.kind && Math.max(spread, moved) > DECIDED) two.kind = spread > moved / 2 || !two.voi ? "zoom" : "window";
    if (two.kind === "zoom") {
      this.view.pan(now.x - two.last.x, now.y - two.last.y);
      this.view.zoomAt(now.apart / two.last.apart, now.x, now.y);
    } else if (two.kind === "window") this.view.setVoi(draggedWindow(two.voi, now.x - two.start.x, now.y - two.start.y));
    two.last = now;
  }
}
