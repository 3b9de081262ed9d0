// Window arithmetic on pictures that are already 8-bit grey: what the reader sees until the server's own rendering arrives. No DOM.

/**
 * 256 output levels that turn a picture rendered with window `from` into an estimate of one rendered with `to`
 * (linear function of PS3.3 C.11.2.1.2.1; the half unit is left out, below what 8 bits show). What `from` had clipped
 * stays clipped. `inverse`: the picture is MONOCHROME1, bright for low values. `negative`: the reader asked for black and white exchanged.
 */
export function levels(from, to, { inverse = false, negative = false } = {}) {
  const table = new Uint8ClampedArray(256);
  const same = !from || !to || (from.center === to.center && from.width === to.width);
  for (let grey = 0; grey < 256; grey++) {
    let level = inverse ? 255 - grey : grey;
    if (!same) {
      const value = from.center - from.width / 2 + (level / 255) * from.width;
      level = ((value - (to.center - to.width / 2)) / to.width) * 255;
    }
    if (inverse !== negative) level = 255 - level;
    table[grey] = level;
  }
  return table;
}

/** Applies `table` to RGBA bytes in place; alpha stays. */
export function applyLevels(rgba, table) {
  for (let at = 0; at + 3 < rgba.length; at += 4) {
    rgba[at] = table[rgba[at]];
    rgba[at + 1] = table[rgba[at + 1]];
    rgba[at + 2] = table[rgba[at + 2]];
  }
}

/** The window after a drag of `dx`, `dy` pixels: x width, y centre, in steps of the width where the drag began. */
export function draggedWindow(start, dx, dy) {
  const step = Math.max(start.width, 1) / 400;
  const width = Math.max(1, start.width + dx * step);
  return { center: tidy(start.center + dy * step), width: tidy(width) };
}

function tidy(value) {
  return Math.abs(value) >= 20 ? Math.round(value) : Math.round(value * 100) / 100;
}

/** Usual CT windows in HU, by the i18n key of their name. */
export const CT_PRESETS = {
  presetLung: { center: -600, width: 1500 }, presetMediastinum: { center: 40, width: 400 },
  presetBone: { center: 400, width: 2000 }, presetBrain: { center: 40, width: 80 },
};
