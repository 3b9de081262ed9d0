// MPR: a regular volume cut axially, sagittally and coronally, three views that meet in one point.

import { h, select, styleSheet } from "../dom.js";
import { addWords, t } from "../i18n.js";
import { problem } from "../problem.js";
import { along, distanceTo, nearestPlane, toPatient } from "../room/geometry.js";
import { planesOf } from "../room/linked.js";
import { planVolume, volumeBytesMax } from "./budget.js";
import { CutStore } from "./cut_store.js";
import { ORIENTATIONS, stackOf } from "./planes.js";
import { centreOf, fitsVolume, regularity } from "./regular.js";
import { Volume } from "./volume.js";
import { WORDS } from "./words.js";

addWords(WORDS);
const BATCH = 16;
const MB = 1_000_000;
const SLABS_MM = [0, 3, 5, 10, 20, 40];
const TITLES = { axial: "volumeAxial", sagittal: "volumeSagittal", coronal: "volumeCoronal" };

/** Opens MPR of the series in the active view, or tells why that cannot be. */
export async function openMpr(room) {
  const sheet = styleSheet(new URL("./volume.css", import.meta.url));
  const source = room.active;
  if (!source?.view?.frames?.length) return room.say(t("volumeNothing"));
  const { frames } = source.view;
  const found = regularity(frames);
  if (!found.ok) return room.say(t("volumeRefused", { reason: t(found.reason, found.parts) }), { stays: true });
  const most = volumeBytesMax(navigator.deviceMemory);
  const planned = planVolume(found.geometry.size, most);
  if (!planned) {
    const bytes = found.geometry.size.reduce((product, side) => product * side, 2);
    return room.say(t("volumeRefused", { reason: t("volumeTooLarge", { mb: Math.ceil(bytes / MB), most: Math.floor(most / MB) }) }), { stays: true });
  }
  const stop = new AbortController();
  room.stop.signal.addEventListener("abort", () => stop.abort(), { signal: stop.signal });
  try {
    const volume = await load(room, found, planned, stop.signal);
    await sheet;
    // Another series may have been chosen while this one came.
    if (source.view?.frames !== frames) return room.say("");
    room.say(planned.reduction > 1 ? t("volumeReduced", { n: planned.reduction, mb: Math.ceil(planned.bytes / MB) }) : "");
    new Mpr(room, source, { volume: volume.volume, geometry: found.geometry, bits: volume.bits, signed: volume.signed }).open();
  } catch (error) {
    if (error.name !== "AbortError") room.say(t("volumeFailed", { reason: error.reason ?? problem(error) }), { stays: true });
  }
}

// A few slices at a time, so that the store need not hold them all beside the volume.
async function load(room, { order, geometry }, { reduction }, signal) {
  let volume = null;
  let form = null;
  for (let from = 0; from < order.length; from += BATCH) {
    const batch = order.slice(from, from + BATCH);
    room.say(t("volumeLoading", { n: from, total: order.length }), { stays: true });
    const pictures = await room.store.volume(batch, signal);
    for (const [at, picture] of pictures.entries()) {
      if (picture.components !== 1 || picture.quality.kind === "rendered") throw Object.assign(new Error("colour"), { reason: t("volumeColour") });
      form ??= { bits: picture.bits, signed: picture.signed };
      // A codestream may hold other samples than the file says.
      if (!fitsVolume(picture, form)) throw Object.assign(new Error("samples"), { reason: t("volumeSamples") });
      form.bits = Math.max(form.bits, picture.bits);
      volume ??= new Volume(geometry, { reduction, signed: form.signed });
      volume.put(from + at, picture.samples);
    }
  }
  return { volume, ...form };
}

/** What is shown in place of a room's views. It belongs to the study of the view it was made of, which may be a prior. */
export class Mpr {
  constructor(room, source, { volume, geometry, bits, signed }) {
    const { view } = source;
    Object.assign(this, { room, volume, cells: [], point: centreOf(geometry) });
    this.before = { frames: view.frames, index: view.index };
    this.voi = view.voi ?? (view.frame.value("WindowCenter") === undefined ? view.shownVoi : null);
    this.inverted = view.inverted;
    this.manifest = source.manifest;
    this.prior = source.prior;
    this.store = new CutStore(volume, { bits, signed });
    this.like = view.frame;
    this.set = source.set;
  }

  open() {
    const { room } = this;
    const stacks = Object.keys(ORIENTATIONS).map((orientation) => ({ orientation, frames: stackOf(this.volume, orientation, this.like) }));
    room.cine.stop();
    for (const cell of room.cells) cell.clear();
    room.setGrid(3, 1);
    room.layout = null;
    room.grid.classList.add("mpr");
    room.mpr = this;
    this.settling = true;
    stacks.forEach(({ orientation, frames }, at) => this.showStack(room.cells[at], orientation, frames));
    this.settling = false;
    room.active = null;
    room.activate(room.cells[0]);
    room.toolbar.showMpr(this.controls());
    room.chooseTool("cross");
    room.repaint();
  }

  showStack(cell, orientation, frames) {
    cell.orientation = orientation;
    cell.title = t(TITLES[orientation]);
    this.cells.push(cell);
    cell.show({ frames, index: nearestPlane(planesOf(frames), this.point), manifest: this.manifest, prior: this.prior, set: this.set, store: this.store });
    if (this.voi) cell.view.setVoi(this.voi);
    if (this.inverted) cell.view.setInverted(true);
  }

  controls() {
    const slabs = SLABS_MM.map((mm) => [String(mm), t("volumeSlabMm", { mm })]);
    const change = () => this.setSlab(Number(thickness.querySelector("select").value), kind.querySelector("select").value);
    const thickness = select(t("volumeSlab"), slabs, "0", change);
    const kind = select(t("volumeSlabKind"), [["mean", t("volumeSlabMean")], ["max", t("volumeSlabMax")]], "mean", change);
    return [thickness, kind];
  }

  setSlab(mm, kind) {
    this.store.setSlab({ mm, kind }, this.cells.map((cell) => cell.view.frame));
    this.room.repaint();
  }

  /** A view was scrolled: the point goes along. */
  moved(cell) {
    if (this.settling || !cell.plane) return;
    this.point = along(this.point, cell.plane.normal, -distanceTo(cell.plane, this.point));
    this.room.repaint();
  }

  /** The other views go to `point`, which lies in `cell`. */
  goTo(point, cell) {
    this.settling = true;
    this.point = point;
    for (const other of this.cells) {
      if (other === cell) continue;
      const index = nearestPlane(planesOf(other.view.frames), point);
      if (index !== other.view.index) other.view.go(index);
    }
    this.settling = false;
    this.room.repaint();
  }

  /** The tool that moves the crosshair. */
  get crossTool() {
    return { key: "cross", title: t("volumeCross"), make: (room, view) => this.cross(view) };
  }

  cross(view) {
    const cell = this.cells.find((one) => one.view === view);
    const follow = (at) => { if (cell?.plane) this.goTo(toPatient(cell.plane, [at.column, at.row]), cell); };
    let held = false;
    return { cursor: "crosshair",
      down(at) { held = true; follow(at); },
      move(at) { if (held) follow(at); },
      up() { held = false; },
      cancel() { held = false; },
    };
  }

  dispose() {
    const { room } = this;
    for (const cell of this.cells) Object.assign(cell, { orientation: null, title: null });
    room.grid.classList.remove("mpr");
    room.toolbar.showMpr([]);
    this.store.dispose();
    this.volume.samples = null;
  }
}
