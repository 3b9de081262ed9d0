// A presentation state over a view.

import { paintGraphic } from "./paint.js";
import { isAbout } from "./saved_state.js";

const SPOT_PIXELS = 6;

/** Paints what the state draws on the frame a view shows, but for the graphic layer `except`. */
export function paintState(context, view, state, except = null) {
  const { frame } = view;
  const screen = (point, display) => view.imageToScreen(display ? [point[0] * frame.columns, point[1] * frame.rows] : point);
  for (const annotation of state.annotations) {
    if (annotation.layer === except || !isAbout(annotation.keys, frame)) continue;
    const paths = annotation.graphics.flatMap(({ points, display, spot }) => (spot ? cross(screen(spot, display)) : [points.map((point) => screen(point, display))]));
    const texts = annotation.texts.map(({ at, display, lines }) => ({ at: screen(at, display), lines }));
    paintGraphic(context, view, paths, texts);
  }
}

function cross([x, y]) {
  return [[[x - SPOT_PIXELS, y], [x + SPOT_PIXELS, y]], [[x, y - SPOT_PIXELS], [x, y + SPOT_PIXELS]]];
}
