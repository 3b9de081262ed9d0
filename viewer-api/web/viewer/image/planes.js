// Overlay planes of a file (PS3.3 C.9.2) over its image: one bit a pixel, in one colour.

const COLOUR = [255, 214, 90, 255];

/** Paints planes; what a plane looks like is made once. */
export class OverlayPlanes {
  #made = new WeakMap();
  hidden = false;

  /** `planes` of tables.js, `map` from image coordinates to those of `context`. */
  paint(context, planes, map) {
    if (this.hidden) return;
    for (const plane of planes) {
      if (!this.#made.has(plane)) this.#made.set(plane, canvasOf(plane));
      const picture = this.#made.get(plane);
      if (!picture) continue;
      context.save();
      context.transform(...map);
      context.imageSmoothingEnabled = Math.hypot(map[0], map[1]) < 2;
      context.drawImage(picture, plane.left, plane.top);
      context.restore();
    }
  }
}

function canvasOf({ columns, rows, bits }) {
  if (!(columns > 0 && rows > 0) || bits.length * 8 < columns * rows) return null;
  const canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  for (let at = 0; at < columns * rows; at++) if ((bits[at >> 3] >> (at & 7)) & 1) image.data.set(COLOUR, 4 * at);
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
  return canvas;
}
