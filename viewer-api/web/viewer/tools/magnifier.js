// A round glass that follows the pointer while the button is held: twice what the view shows, and never less than pixel for pixel.

import { brightness } from "../image/voi.js";

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
  const image = new ImageData(DIAMETER, DIAMETER);
  const shade = shadeOf(view);
  // The map from screen to image is affine: three points say all of it.
  const origin = view.screenToImage([x, y]);
  const across = minus(view.screenToImage([x + 1, y]), origin);
  const down = minus(view.screenToImage([x, y + 1]), origin);
  for (let row = 0, at = 0; row < DIAMETER; row++) {
    for (let column = 0; column < DIAMETER; column++, at += 4) {
      const [dx, dy] = [(column - DIAMETER / 2) / factor, (row - DIAMETER / 2) / factor];
      const value = view.modalityValue(origin[0] + across[0] * dx + down[0] * dy, origin[1] + across[1] * dx + down[1] * dy);
      if (value === null || value === undefined) continue;
      const [red, green, blue] = shade(value);
      image.data[at] = red;
      image.data[at + 1] = green;
      image.data[at + 2] = blue;
      image.data[at + 3] = 255;
    }
  }
  round(context, view, image, factor, x, y);
}

function round(context, view, image, factor, x, y) {
  const small = new OffscreenCanvas(DIAMETER, DIAMETER);
  small.getContext("2d").putImageData(image, 0, 0);
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
  context.drawImage(small, x - DIAMETER / 2, y - DIAMETER / 2);
  context.restore();
  context.strokeStyle = "#ffe26a";
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, DIAMETER / 2, 0, 2 * Math.PI);
  context.stroke();
}

// Grey by the window that is shown, colours as they are.
function shadeOf(view) {
  const inverse = (view.frame.value("PhotometricInterpretation") === "MONOCHROME1") !== Boolean(view.inverted);
  const voi = view.shownVoi;
  return (value) => {
    if (Array.isArray(value)) return view.inverted ? value.map((part) => 255 - part) : value;
    const grey = 255 * (voi ? brightness(voi, value) : 0.5);
    const shown = inverse ? 255 - grey : grey;
    return [shown, shown, shown];
  };
}

function minus(a, b) {
  return [a[0] - b[0], a[1] - b[1]];
}
