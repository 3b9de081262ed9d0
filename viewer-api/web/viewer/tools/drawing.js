// The tools that draw: press and drag, or click and click. A point of a mark that is there already is moved instead, a line takes the mark along.

import { ellipseIn, ellipseStretched, moved, within } from "./geometry.js";
import { REACH, hit } from "./hit.js";

/** Less than this many CSS pixels between press and release is a click: the point follows the pointer until the next one. */
const CLICK_PIXELS = 4;

/** How many presses, each with a drag, a kind is drawn by, and what points come of the pointers so far. */
const DRAWN = {
  length: { corners: 2, points: (corners) => corners },
  arrow: { corners: 2, points: (corners) => corners },
  angle: { corners: 3, points: (corners) => corners },
  cobb: { corners: 4, points: (corners) => corners },
  ellipse: { corners: 2, points: ([a, b]) => ellipseIn(a, b) },
  probe: { corners: 1, points: (corners) => corners },
  text: { corners: 1, points: (corners) => corners },
};

/** The tool that draws `kind` on the views of `desk`. */
export function drawingTool(desk, kind) {
  return new Drawing(desk, kind);
}

class Drawing {
  constructor(desk, kind) {
    Object.assign(this, { desk, kind, cursor: kind === "text" ? "text" : "crosshair", corners: [], held: null, down0: null });
  }

  down(at, event, view) {
    const point = within([at.column, at.row], view.frame);
    this.down0 = [at.x, at.y];
    // What was begun on another frame is not ended on this one.
    if (this.corners.length && view.frame !== this.frame) this.cancel(view);
    if (this.corners.length) return this.place(point, view);
    const found = hit(this.desk.book.of(view.frame.key), view, [at.x, at.y], REACH[event.pointerType] ?? REACH.mouse, this.desk.book.selected);
    if (found) return this.grasp(found, point);
    this.desk.book.select(null);
    this.corners = [point];
    this.frame = view.frame;
    if (DRAWN[this.kind].corners > 1) this.corners.push(point);
    this.show(view);
  }

  // A point that followed the pointer is set; what comes next follows it.
  place(point, view) {
    this.corners[this.corners.length - 1] = point;
    // The second line of Cobb's method begins where it is pressed.
    if (this.kind === "cobb" && this.corners.length === 3) this.corners.push(point);
    this.show(view);
  }

  grasp({ mark, handle }, point) {
    this.desk.book.select(mark.id);
    this.held = mark.saved ? null : { id: mark.id, handle, points: mark.points, from: point };
  }

  move(at, event, view) {
    const point = within([at.column, at.row], view.frame);
    this.desk.pointAt(view, this.kind === "probe" && !this.held && !this.corners.length ? point : null);
    if (this.held) return this.drag(point);
    if (!this.corners.length) return;
    if (view.frame !== this.frame) return this.cancel(view);
    this.corners[this.corners.length - 1] = point;
    this.show(view);
  }

  /** The pointer moves without a button: a point that was clicked follows it, and the probe reads what lies under it. */
  hover(at, event, view) {
    this.move(at, event, view);
  }

  drag(point) {
    const { id, handle, points, from } = this.held;
    const by = [point[0] - from[0], point[1] - from[1]];
    const mark = this.desk.book.get(id);
    if (!mark) return;
    const changed = handle < 0 ? moved(points, by) : mark.kind === "ellipse" ? ellipseStretched(points, handle, point) : points.with(handle, point);
    this.desk.book.move(id, changed);
  }

  up(at, event, view) {
    if (this.held) {
      this.held = null;
      this.desk.book.settle();
      return;
    }
    if (!this.corners.length) return;
    const still = Math.hypot(at.x - this.down0[0], at.y - this.down0[1]) < CLICK_PIXELS;
    const { corners } = DRAWN[this.kind];
    // A click leaves the point with the pointer; after a drag the next one is drawn.
    if (still && this.corners.length === 2 && corners > 1 && !this.following) {
      this.following = true;
      return;
    }
    if (this.corners.length < corners) {
      this.following = true;
      this.corners.push(this.corners.at(-1));
      return this.show(view);
    }
    this.finish(view);
  }

  /** Whether a mark is begun and not yet done. */
  get isHalfDone() {
    return this.corners.length > 0;
  }

  finish(view) {
    const points = DRAWN[this.kind].points(this.corners);
    const [frame, drawn] = [this.frame, this.corners];
    this.cancel(view);
    const extent = Math.max(...drawn.map(([x, y]) => Math.hypot(x - drawn[0][0], y - drawn[0][1])));
    // Half a pixel is no length: the pointer trembled.
    if (drawn.length > 1 && extent < 0.5) return;
    this.desk.draw(this.kind, frame, points);
  }

  show(view) {
    const { kind, corners, frame } = this;
    const complete = corners.length >= DRAWN[kind].corners;
    this.desk.sketch(view, { id: "sketch", kind: complete ? kind : corners.length > 2 && kind === "cobb" ? "cobb" : "length", frame, key: frame.key, points: complete ? DRAWN[kind].points(corners) : corners, text: "", saved: null });
  }

  cancel(view) {
    Object.assign(this, { corners: [], held: null, following: false, frame: null });
    this.desk.book.settle();
    this.desk.sketch(view, null);
    this.desk.pointAt(view, null);
  }
}
