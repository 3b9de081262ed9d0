// Small drawings for buttons; each button has a name in words besides.

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  window: "M9 2a7 7 0 1 0 0 14z M9 2a7 7 0 0 1 0 14",
  scroll: "M4 3h10v3H4z M4 8h10v3H4z M4 13h10v3H4z",
  pan: "M9 1.5v15 M1.5 9h15 M9 1.5l-2 2.5h4z M9 16.500l-2-2.500h4z M1.500 9l2.500-2v4z M16.500 9l-2.500-2v4z",
  zoom: "M7.500 2.500a5 5 0 1 0 .01 0z M11.300 11.300l4.700 4.700 M5 7.500h5 M7.500 5v5",
  invert: "M2.500 2.500h13v13h-13z M2.500 15.500l13-13v13z",
  turnLeft: "M5 4H2V1 M2 4c2-2 4-2.500 6-2.500a7 7 0 1 1-6.500 9.500",
  turnRight: "M13 4h3V1 M16 4c-2-2-4-2.500-6-2.500a7 7 0 1 0 6.500 9.500",
  flip: "M9 1.500v15 M7 4v10H1.500z M11 4v10h5.500z",
  fit: "M2 6V2h4 M12 2h4v4 M16 12v4h-4 M6 16H2v-4",
  reset: "M3 9a6 6 0 1 0 2-4.500 M5.500 1v4h-4",
  play: "M5 3l9 6-9 6z",
  pause: "M5 3h3v12H5z M10 3h3v12h-3z",
  link: "M7 11l4-4 M6.500 8L4.500 10a2.800 2.800 0 0 0 4 4l2-2 M11.500 10l2-2a2.800 2.800 0 0 0-4-4l-2 2",
  localiser: "M2.500 2.500h13v13h-13z M2.500 6.500h13 M2.500 9.500h13 M2.500 12.500h13",
  mpr: "M9 1.500l6.500 3.700v7.500L9 16.500l-6.500-3.800V5.200z M2.500 5.200L9 9l6.500-3.800 M9 9v7.500",
  cross: "M9 1.500v5.500 M9 11v5.500 M1.500 9h5.500 M11 9h5.500",
  text: "M3 4h12 M3 8h12 M3 12h7",
  copy: "M6.500 6.500h9v9h-9z M11.500 6.500v-4h-9v9h4",
  help: "M6 6.500a3 3 0 1 1 4.200 2.700C9.300 9.700 9 10.200 9 11.500 M9 14v1.200",
};
const FILLED = ["pause", "play"];

/** The drawing `name`, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 18 18", class: FILLED.includes(name) ? "icon filled" : "icon", "aria-hidden": "true" })) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}
