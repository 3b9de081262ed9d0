// A round glass that follows the pointer while the button is held: twice what the view shows, and never less than pixel for pixel.

import { pixels } from "../image/software.js";

const DIAMETER = 240;
const TIMES = 2;

/** The tool of the magnifying glass. */
export function magnifierTool() {
  let glass = null;
  const layer = { paint: (context, view) => { if (glass) paint(context, view, glass); } };
  const put = (at, view) => { glass = [at.x, at.y]; view.repaint(); };
  const away = (view) => { if (!glass) return; glass = null; view.removeLayer(layer); view.repaint(); };
  return {
    cursor: "zoom-in",
    down(at, event, view) {
      view.addLayer(layer);
      put(at, view);
      // Under a picture fitted to the screen not all pixels need be here.
      if (view.picture?.level !== 0) view.store.whole(view.frame).then(() => view.repaint(), () => {});
    },
    move(at, event, view) { if (glass) put(at, view); },
    up(at, event, view) { away(view); },
    cancel: away,
  };
}

function paint(context, view, [x, y]) {
  const factor = Math.max(TIMES, 1 / view.scale);
  const scene = sceneUnder(view, [x, y], factor);
  round(context, view, scene && new ImageData(pixels(scene), DIAMETER, DIAMETER), factor, x, y);
}

/** What lies under the glass, sample by sample, shaded as the view shades it; `null` while not all pixels are here. */
export function sceneUnder(view, [x, y], factor) {
  const scene = view.scene();
  if (!scene || view.picture?.level !== 0) return null;
  // The map from screen to image is affine: three points say all of it.
  const origin = view.screenToImage([x, y]);
  const [a, b] = minus(view.screenToImage([x + 1, y]), origin).map((part) => part / factor);
  const [c, d] = minus(view.screenToImage([x, y + 1]), origin).map((part) => part / factor);
  const half = DIAMETER / 2;
  return { ...scene, picture: view.picture, map: [a, b, c, d, origin[0] - half * (a + c), origin[1] - half * (b + d)], width: DIAMETER, height: DIAMETER, smooth: false };
}

function round(context, view, image, factor, x, y) {
  context.save();
  context.beginPath();
  context.arc(x, y, DIAMETER / 2, 0, 2 * Math.PI);
  context.clip();
  // What the view shows lies under it, for the time until all pixels are here.
  const ratio = view.canvas.width / Math.max(1, view.canvas.clientWidth);
  const side = DIAMETER / factor;
  context.fillStyle = "#000";
  context.fillRect(x - DIAMETER / 2, y - DIAMETER / 2, DIAMETER, DIAMETER);
  context.drawImage(view.canvas, (x - side / 2) * ratio, (y - side / 2) * ratio, side * ratio, side * ratio, x - DIAMETER / 2, y - DIAMETER / 2, DIAMETER, DIAMETER);
  if (image) {
    const small = new OffscreenCanvas(DIAMETER, DIAMETER);
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, x - DIAMETER / 2, y - DIAMETER / 2);
  }
  context.restore();
  context.strokeStyle = "#ffe26a";
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, DIAMETER / 2, 0, 2 * Math.PI);
  context.stroke();
}

function minus(a, b) {
  return [a[0] - b[0], a[1] - b[1]];
}
