// Calipers: two marks on samples of one lead. Δt with its rate, ΔmV, marching out; by mouse, pen, touch and keyboard.
//
// A mark is always on a sample, so what is read is a difference of two stored (or, said so, filtered) values.

import { t } from "../i18n.js";
import { samplesOf, timeAt, xOf, yOf } from "./geometry.js";
import { between, march, nearestSample } from "./measure.js";

const GRAB_MM = 2.5;
const COLOUR = "#7a1fa2";
const PALE = "#7a1fa266";
const NAMES = { p: "PR", q: "QRS", t: "QT", r: "RR" };

/** Calipers on a `Sheet`. Sends "change" when a mark moves and "measure" `{name, ms}` when the distance is given a name. */
export class Calipers extends EventTarget {
  constructor(sheet) {
    super();
    Object.assign(this, { sheet, cell: 0, a: 0, b: 0, active: "b", marching: false, held: null });
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.top = sheet.overlay();
    this.top.addEventListener("pointerdown", (event) => this.down(event), { signal });
    this.top.addEventListener("pointermove", (event) => this.move(event), { signal });
    for (const end of ["pointerup", "pointercancel"]) this.top.addEventListener(end, () => { this.held = null; }, { signal });
    sheet.addEventListener("draw", () => this.begin(), { signal });
    this.begin();
  }

  dispose() {
    this.stop.abort();
    this.sheet.removeOverlay();
  }

  // The first place: a fifth and two fifths into the first cell, for who has no pointer.
  begin() {
    const cell = this.sheet.cells[this.cell] ?? this.sheet.cells[this.cell = 0];
    if (!cell) return;
    const [first, last] = samplesOf(cell);
    const inside = (at) => at >= first && at <= last;
    if (!inside(this.a) || !inside(this.b) || this.a === this.b) [this.a, this.b] = [0.2, 0.4].map((part) => Math.round(first + (last - first) * part));
    this.changed();
  }

  get channel() {
    return this.sheet.cells[this.cell].channel;
  }

  /** `{ms, bpm, difference, lead}` of the two marks. */
  get reading() {
    return this.sheet.cells[this.cell] ? { ...between(this.channel, this.a, this.b), lead: this.channel.lead, inMillivolts: this.channel.inMillivolts } : null;
  }

  sampleAt(x_mm, index = this.cell) {
    const cell = this.sheet.cells[index];
    const [first, last] = samplesOf(cell);
    return Math.max(first, Math.min(last, nearestSample(cell.channel, timeAt(cell, x_mm, this.sheet.layout.speed))));
  }

  down(event) {
    if (event.button > 0 || !this.sheet.cells.length) return;
    event.preventDefault();
    this.top.setPointerCapture(event.pointerId);
    const { x_mm, cell } = this.sheet.at(event);
    const near = (name) => cell === this.cell && Math.abs(xOf(this.sheet.cells[cell], this[name], this.sheet.layout.speed) - x_mm) < GRAB_MM;
    const sample = this.sampleAt(x_mm, cell);
    const [low, high] = [Math.min(this.a, this.b), Math.max(this.a, this.b)];
    if (near("b")) this.held = { name: "b" };
    else if (near("a")) this.held = { name: "a" };
    // Between the marks the pair is taken as it is, to be laid on the next beat.
    else if (cell === this.cell && sample > low && sample < high) this.held = { name: "both", from: sample, a: this.a, b: this.b };
    else {
      Object.assign(this, { cell, a: sample, b: sample });
      this.held = { name: "b" };
    }
    if (this.held.name !== "both") this.active = this.held.name;
    this.changed();
  }

  move(event) {
    if (!this.held) return;
    const sample = this.sampleAt(this.sheet.at(event).x_mm);
    if (this.held.name === "both") this.shift(this.held.a + sample - this.held.from - this.a);
    else this[this.held.name] = sample;
    this.changed();
  }

  // Moves the pair by `by` samples as far as the cell goes.
  shift(by) {
    const [first, last] = samplesOf(this.sheet.cells[this.cell]);
    const room = Math.max(first - Math.min(this.a, this.b), Math.min(last - Math.max(this.a, this.b), by));
    this.a += room;
    this.b += room;
  }

  /** Takes a key of the calipers; `true` if it was one. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.sheet.cells.length) return false;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (sideways) this.step(sideways * (event.shiftKey ? Math.max(1, Math.round(this.channel.rate * 0.02)) : 1), this.active);
    else if (key === "ArrowUp" || key === "ArrowDown") this.hop(key === "ArrowUp" ? -1 : 1);
    else if (key === "," || key === ".") this.shift(key === "," ? -Math.abs(this.b - this.a) : Math.abs(this.b - this.a));
    else if (key === "x") this.active = this.active === "a" ? "b" : "a";
    else if (key === "m") this.marching = !this.marching;
    else if (Object.hasOwn(NAMES, key)) this.name(NAMES[key]);
    else return false;
    this.changed();
    return true;
  }

  step(by, name) {
    const [first, last] = samplesOf(this.sheet.cells[this.cell]);
    this[name] = Math.max(first, Math.min(last, this[name] + by));
  }

  // To the next cell, at the same distance from its left and with the same width in time.
  hop(by) {
    const { cells, layout } = this.sheet;
    const next = (this.cell + by + cells.length) % cells.length;
    const moved = (name) => xOf(cells[this.cell], this[name], layout.speed) - cells[this.cell].left_mm + cells[next].left_mm;
    [this.a, this.b] = [this.sampleAt(moved("a"), next), this.sampleAt(moved("b"), next)];
    this.cell = next;
  }

  name(name) {
    this.dispatchEvent(new CustomEvent("measure", { detail: { name, ms: this.reading.ms, lead: this.channel.lead } }));
  }

  changed() {
    this.paint();
    this.dispatchEvent(new Event("change"));
  }

  paint() {
    const context = this.top.getContext("2d");
    const { layout } = this.sheet;
    const cell = this.sheet.cells[this.cell];
    context.clearRect(0, 0, this.top.width, this.top.height);
    if (!cell) return;
    const pen = { context, mm: layout.mm, ratio: layout.ratio, cell, top: (cell.middle_mm - cell.row_mm / 2) * layout.mm, bottom: (cell.middle_mm + cell.row_mm / 2) * layout.mm };
    const x = (at) => xOf(cell, at, layout.speed) * layout.mm;
    const [first, last] = samplesOf(cell);
    if (this.marching) for (const at of march(this.a, this.b, first, last)) line(pen, x(at), pen.top, x(at), pen.bottom, PALE);
    for (const name of ["a", "b"]) {
      const value = cell.channel.values[this[name]];
      line(pen, x(this[name]), pen.top, x(this[name]), pen.bottom, COLOUR, name === this.active ? 1.8 : 1);
      if (Number.isFinite(value)) line(pen, Math.min(x(this.a), x(this.b)) - 2 * pen.mm, yOf(cell, value) * pen.mm, Math.max(x(this.a), x(this.b)) + 2 * pen.mm, yOf(cell, value) * pen.mm, PALE);
    }
    label(pen, x(Math.min(this.a, this.b)), x(Math.max(this.a, this.b)), readingText(this.reading));
  }
}

function line({ context, ratio }, x1, y1, x2, y2, colour, weight = 1) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.strokeStyle = colour;
  context.lineWidth = weight * ratio;
  context.stroke();
}

function label({ context, mm, ratio, top }, left, right, words) {
  context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  const width = context.measureText(words).width;
  const x = Math.max(mm, Math.min(context.canvas.width - width - 2 * mm, (left + right - width) / 2));
  const y = Math.max(16 * ratio, top + 4 * ratio);
  context.fillStyle = "#fffaf7e6";
  context.fillRect(x - 3 * ratio, y - 13 * ratio, width + 6 * ratio, 17 * ratio);
  context.fillStyle = COLOUR;
  context.fillText(words, x, y);
}

/** A reading in words: "400 ms  150 /min  ΔmV 0.25". */
export function readingText({ ms, bpm, difference, inMillivolts }) {
  return [t("ecgCaliperTime", { ms: ms.toFixed(ms < 100 ? 1 : 0) }), bpm !== null && t("ecgCaliperRate", { n: bpm.toFixed(0) }), difference !== null && inMillivolts && t("ecgCaliperVolt", { mv: (difference < 0 ? "−" : "+") + Math.abs(difference).toFixed(3) })].filter(Boolean).join("  ");
}
