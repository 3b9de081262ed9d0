// One sheet of ECG paper in the page: the canvas of the trace, and above it a clear one for calipers.

import { h } from "../dom.js";
import { cellAt } from "./geometry.js";
import { drawPaper } from "./paper.js";

/** A sheet; `element` goes into the page. "draw" is sent after each drawing. */
export class Sheet extends EventTarget {
  constructor(label = "") {
    super();
    this.canvas = h("canvas", { class: "paper", role: "img", "aria-label": label });
    this.element = h("div", { class: "paper-sheet" }, this.canvas);
    this.layout = null;
    this.top = null;
  }

  /** Draws `rows`; the options are those of `drawPaper`. */
  draw(rows, options) {
    this.layout = drawPaper(this.canvas, rows, options);
    this.pixelsPerMm = options.pixelsPerMm;
    if (this.top) this.fitTop();
    this.dispatchEvent(new Event("draw"));
  }

  get cells() {
    return this.layout?.cells ?? [];
  }

  /** The clear canvas above the trace, made when first needed. */
  overlay() {
    if (!this.top) {
      this.top = h("canvas", { class: "calipers", "aria-hidden": "true" });
      this.element.append(this.top);
      this.fitTop();
    }
    return this.top;
  }

  removeOverlay() {
    this.top?.remove();
    this.top = null;
  }

  fitTop() {
    Object.assign(this.top, { width: this.canvas.width, height: this.canvas.height });
    this.top.style.width = this.canvas.style.width;
    this.top.style.height = this.canvas.style.height;
  }

  /** Where a pointer is, as `{x_mm, y_mm, cell}`; `cell` is an index. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x_mm, y_mm] = [(event.clientX - box.left) / this.pixelsPerMm, (event.clientY - box.top) / this.pixelsPerMm];
    return { x_mm, y_mm, cell: cellAt(this.cells, x_mm, y_mm, this.layout.speed) };
  }
}
