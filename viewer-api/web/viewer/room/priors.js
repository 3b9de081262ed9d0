// A prior beside the study in a room, and away again.

import { t } from "../i18n.js";
import { loadManifest } from "../image/manifest.js";
import { problem } from "../problem.js";
import { studyMark } from "./corners.js";
import { bestPrior, hang } from "./hanging.js";
import { setsOf } from "./sets.js";

/** Hangs the prior that suits best, or takes away the one that hangs. */
export function togglePrior(room) {
  if (room.priorShown) return leavePrior(room);
  const prior = bestPrior((room.active?.set ?? room.sets[0]).Modality, room.manifest.priors);
  return prior ? showPrior(room, prior) : room.say(t("roomNoPrior"));
}

/** Hangs a prior (a row of the manifest's `priors`) beside the study. */
export async function showPrior(room, prior) {
  // What is chosen while another is on its way takes its place, whichever comes first.
  const asked = room.priorAsked = {};
  try {
    const manifest = await loadManifest(prior.StudyInstanceUID, room.stop.signal);
    if (room.priorAsked !== asked) return;
    room.leaveMpr();
    Object.assign(room, { priorManifest: manifest, priorSets: manifest.series.flatMap(setsOf), priorShown: prior.StudyInstanceUID });
    room.strip?.showPrior(studyMark(manifest.study, room.manifest.study), room.priorSets);
    // What is being read is what the prior is compared with.
    const read = room.active?.set;
    const sets = read && room.sets.includes(read) && room.hung?.kind !== "mammography" ? [read, ...room.sets.filter((set) => set !== read)] : room.sets;
    room.hangUp(hang(sets, room.priorSets), manifest);
    room.setLinked(true);
  } catch (error) {
    if (error.name === "AbortError" || room.priorAsked !== asked) return;
    room.say(t("roomPriorFailed", { reason: problem(error) }));
    room.toolbar.show();
  }
}

/** Takes the prior away; the study hangs as it did. */
export function leavePrior(room) {
  room.leaveMpr();
  Object.assign(room, { priorAsked: null, priorShown: null, priorSets: null, priorManifest: null, linked: false });
  room.strip?.showPrior(null, []);
  room.hangUp(hang(room.sets));
  room.toolbar.show();
}
