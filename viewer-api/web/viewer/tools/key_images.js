// The frames a reader marks as key images.

/** More are no choice any more. */
export const KEYS_MAX = 200;

/** Frames by key, in the order of their choice. Event "change". */
export class KeyImages extends EventTarget {
  #frames = new Map();
  /** The keys that documents hold, by study. */
  #saved = new Map();

  get all() {
    return [...this.#frames.values()];
  }

  has(key) {
    return this.#frames.has(key);
  }

  /** Those of one study. */
  of(study) {
    return this.all.filter(({ series }) => series.StudyInstanceUID === study);
  }

  /** Whether any of them is in no document. A selection that became empty cannot be said: its document stays. */
  get dirty() {
    return this.all.some(({ series }) => this.isDirty(series.StudyInstanceUID));
  }

  isDirty(study) {
    const keys = keysOf(this.of(study));
    return keys !== "" && keys !== this.#saved.get(study);
  }

  /** Marks the frame, or takes the mark away; answers whether it is one now. */
  toggle(frame) {
    if (!this.#frames.delete(frame.key) && this.#frames.size < KEYS_MAX) this.#frames.set(frame.key, frame);
    this.dispatchEvent(new CustomEvent("change"));
    return this.#frames.has(frame.key);
  }

  /** A document holds `frames` of `study`, as they were when it was sent. */
  saved(study, frames) {
    this.#saved.set(study, keysOf(frames));
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** A small star at the top of the view, beside the letter of direction. */
  paint(context, view) {
    const middle = view.canvas.clientWidth / 2 - 30;
    context.save();
    context.beginPath();
    for (let at = 0; at < 10; at++) {
      const [radius, angle] = [at % 2 ? 5 : 12, (at * Math.PI) / 5 - Math.PI / 2];
      context.lineTo(middle + radius * Math.cos(angle), 20 + radius * Math.sin(angle));
    }
    context.closePath();
    context.fillStyle = "#ffe26a";
    context.strokeStyle = "rgb(0 0 0 / 75%)";
    context.lineWidth = 3;
    context.stroke();
    context.fill();
    context.restore();
  }
}

function keysOf(frames) {
  return frames.map(({ key }) => key).join(" ");
}
