// What of a series is scrolled as one: its still images together, each clip by itself. No DOM.

/**
 * The display sets of `series`: objects that read like it (Modality, SeriesDescription, …) with `frames` of their own; `clip` is the place of a clip among
 * the clips, from 1, or `null`. A series of one multi-frame instance is one set.
 */
export function setsOf(series) {
  const runs = [];
  for (const frame of series.frames) {
    if (runs.at(-1)?.[0].instance === frame.instance) runs.at(-1).push(frame);
    else runs.push([frame]);
  }
  const clips = runs.filter((run) => run.length > 1);
  if (runs.length < 2 || !clips.length) return [set(series, series.frames, null)];
  const stills = runs.filter((run) => run.length === 1).flat();
  return [...(stills.length ? [set(series, stills, null)] : []), ...clips.map((frames, at) => set(series, frames, at + 1))];
}

function set(series, frames, clip) {
  const { instances, renditions, ...attributes } = series;
  return { ...attributes, series, frames, clip };
}
