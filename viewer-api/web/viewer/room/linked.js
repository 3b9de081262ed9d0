// Linked scrolling: which slice of one view belongs to the slice just chosen in another. No DOM.

import { distanceTo, dot, middleOf, minus, nearestPlane, parallel, planeOf, sameSpace } from "./geometry.js";

const planes = new WeakMap();

/** The planes of `frames`, remembered as long as the array lives. */
export function planesOf(frames) {
  if (!planes.has(frames)) planes.set(frames, frames.map(planeOf));
  return planes.get(frames);
}

/**
 * The index in `follower.frames` that goes with `driver.index`, or `null` where the follower stays. Both are `{frames, index, anchor}`; `anchor` is
 * the index at which the two were joined by hand.
 *
 * In one Frame of Reference the slice at the same place is taken, where both are parallel. In different ones (a prior), the follower goes as many
 * mm from where it was joined, where both are parallel volumes; else as many images; and where the counts differ, in proportion.
 */
export function followedIndex(driver, follower) {
  const count = follower.frames.length;
  if (count < 2 || driver.frames.length < 2) return null;
  const [ours, theirs] = [planesOf(driver.frames), planesOf(follower.frames)];
  const [from, to] = [ours[driver.index], theirs[follower.index]];
  if (from && to && sameSpace(from, to)) return parallel(from, to) ? nearestPlane(theirs, middleOf(from)) : null;
  const millimetres = byMillimetres(driver, follower, ours, theirs);
  if (millimetres !== null) return millimetres;
  if (driver.frames.length === count) return within(follower.anchor + driver.index - driver.anchor, count);
  return within(Math.round((driver.index / (driver.frames.length - 1)) * (count - 1)), count);
}

function byMillimetres(driver, follower, ours, theirs) {
  const [start, now, other] = [ours[driver.anchor], ours[driver.index], theirs[follower.anchor]];
  if (!start || !now || !other || !parallel(start, other) || !parallel(now, other) || !isVolume(ours) || !isVolume(theirs)) return null;
  // Both normals may point opposite ways; what counts is the direction in the patient.
  const moved = dot(minus(now.origin, start.origin), other.normal);
  return nearestPlane(theirs, middleOf(other).map((part, axis) => part + other.normal[axis] * moved));
}

function isVolume(list) {
  const [first, last] = [list[0], list.at(-1)];
  return Boolean(first && last && Math.abs(distanceTo(first, last.origin)) > 0.01);
}

function within(index, count) {
  return Math.max(0, Math.min(count - 1, index));
}

/** The view that was moved takes the others of its room along; those that are taken along take nobody. */
export function takeAlong(room, driver) {
  if (!room.linked || room.following || room.mpr) return;
  room.following = true;
  try {
    for (const cell of room.cells) {
      if (cell === driver || !cell.view) continue;
      const index = followedIndex(standOf(driver), standOf(cell));
      if (index !== null && index !== cell.view.index) cell.view.go(index);
    }
  } finally {
    room.following = false;
  }
}

function standOf({ view, anchor }) {
  return { frames: view.frames, index: view.index, anchor };
}
