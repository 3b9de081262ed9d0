// The small picture of the frame that hangs first, which boot.js shows before there are modules: laid where the frame hangs once that is known, and lifted
// when the frame itself is drawn, or something else is shown.

/** Lays it over `place`, where `frame` will be drawn; lifts it where it shows another frame. */
export function layCover(place, frame) {
  const cover = globalThis.tsunaguEarly?.cover;
  if (!cover) return;
  if (cover.key !== frame?.key) return liftCover();
  cover.element.classList.add("laid");
  place.append(cover.element);
}

/** Takes it away, for good. */
export function liftCover() {
  const early = globalThis.tsunaguEarly;
  early?.cover?.element.remove();
  if (early) early.cover = null;
}
