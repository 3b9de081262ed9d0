// The plain tools of the left button, by their keys; what they do is in image/gestures.js.

import { PAN, SCROLL, WINDOW, ZOOM } from "../image/gestures.js";

export const PLAIN_TOOLS = [
  { key: "window", name: "roomToolWindow", make: () => WINDOW }, { key: "scroll", name: "roomToolScroll", make: () => SCROLL },
  { key: "pan", name: "roomToolPan", make: () => PAN }, { key: "zoom", name: "roomToolZoom", make: () => ZOOM },
];
