// Marks of how quick the page is, for whoever measures it: each stage once a page load, a mark a slice painted.

const SLICES_KEPT = 2000;
const said = new Set();
let slices = 0;

/** `stage`: "first-pixel", "fit-resolution" or "full-resolution"; only the first time counts. */
export function markStage(stage) {
  if (said.has(stage)) return;
  said.add(stage);
  performance.mark(`tsunagu:${stage}`);
}

/** A slice is painted; `detail.wait_ms` is how long ago it was asked for. Marks would be kept for ever: all go after some thousands. */
export function markSlice(asked) {
  if (++slices % SLICES_KEPT === 0) performance.clearMarks("tsunagu:slice");
  performance.mark("tsunagu:slice", { detail: { wait_ms: performance.now() - asked } });
}
