// The reading page of a study: a grid of views, the active one, tools, hanging, priors. What is not needed for the first picture comes when first used.
//
//   const room = new Room(place, {manifest, sets, strip, store}); room.open(set);   … room.dispose()
//
// For parts that add tools (tools/registry.js): `room.active` and `room.cells` are `{view, frame, manifest, prior, place}`, `room.store` holds pixels, `room.say(sentence)` tells
// the reader; events "active" {cell}, "frame" {cell}, "view" {cell}, "layout".

import { fill, h } from "../dom.js";
import { addWords, t } from "../i18n.js";
import { Cell } from "./cell.js";
import { Cine } from "./cine.js";
import { PLAIN_TOOLS } from "./drag.js";
import { LAYOUTS, hang, hangs, startIndex } from "./hanging.js";
import { actionOf, belongsElsewhere } from "./keys.js";
import { takeAlong } from "./linked.js";
import { alignBreasts, turn } from "./mammography.js";
import { Toolbar } from "./toolbar.js";
import { WORDS } from "./words.js";

addWords(WORDS);
/** After this long the tools are loaded, whether there is a picture or not. */
const EXTRAS_WAIT_MS_MAX = 2500;
/** After the first picture they wait for a moment in which nothing else is to be done, at most so long. */
const EXTRAS_IDLE_MS_MAX = 800;
const SAY_MS = 8000;
const ALIGN_WAIT_MS = 60;

export class Room extends EventTarget {
  /** `manifest` as `loadManifest` gives it, `sets` its display sets that hold pictures; `strip` the strip of series beside the room; `store` holds pixels, and is not ours to end. */
  constructor(place, { manifest, sets, strip, store }) {
    super();
    Object.assign(this, { manifest, sets, strip, store, cells: [], active: null, tool: null, layout: "1x1", linked: false, localisers: true, text: true, mpr: null, hung: null, priorShown: null, priorSets: null, priorManifest: null, link: "ok" });
    this.stop = new AbortController();
    this.moreTools = [];
    this.cine = new Cine(() => this.toolbar.show());
    this.grid = h("div", { class: "grid" });
    this.said = h("div", { class: "said", role: "status", hidden: true });
    this.toolbar = new Toolbar(this);
    this.toolbar.showTools(this.tools);
    fill(place, this.toolbar.element, h("div", { class: "stage" }, this.toolbar.rail, this.grid, this.said));
    this.chooseTool(matchMedia("(pointer: coarse)").matches ? "scroll" : "window");
    document.addEventListener("keydown", (event) => this.onKey(event), { signal: this.stop.signal });
    store.addEventListener("link", ({ state }) => { this.link = state; for (const cell of this.cells) cell.paint(); }, { signal: this.stop.signal });
    this.watcher = new ResizeObserver(() => this.alignSoon());
    this.watcher.observe(this.grid);
  }

  dispose() {
    this.stop.abort();
    this.watcher.disconnect();
    this.cine.stop();
    clearTimeout(this.aligning);
    clearTimeout(this.saying);
    this.mpr?.dispose?.();
    for (const cell of this.cells) cell.dispose();
    this.cells = [];
  }

  /** Hangs the study; `first` is the set to begin with where the reader chose one. */
  open(first = null) {
    const sets = first ? [first, ...this.sets.filter((set) => set !== first)] : this.sets;
    this.hangUp(hang(sets));
    // What only says something of images hangs by nobody's rule; who chose it is shown it.
    if (first && !hangs(first)) this.putSet(first);
    this.loadExtras();
  }

  // Measuring, header, export and so on: the page works without them, and they are not waited for.
  // Nor do they take their part of a slow link before there is a picture.
  async loadExtras() {
    await Promise.race([this.painted(), new Promise((go) => setTimeout(go, EXTRAS_WAIT_MS_MAX))]);
    await new Promise((go) => (window.requestIdleCallback ?? setTimeout)(go, { timeout: EXTRAS_IDLE_MS_MAX }));
    try {
      const { TOOLS, ACTIONS, open } = await import("../tools/registry.js");
      if (this.stop.signal.aborted) return;
      open(this, this.stop.signal);
      this.moreTools = TOOLS;
      this.toolbar.showActions(ACTIONS);
      this.toolbar.showTools(this.tools);
    } catch {
      this.say(t("roomExtrasMissing"));
    }
  }

  // The first pixels of a frame that is shown are here.
  painted() {
    return new Promise((resolve) => this.store.addEventListener("picture", resolve, { once: true, signal: this.stop.signal }));
  }

  /** Hangs the study as it was first, with the prior that is shown. */
  hangAgain() {
    this.leaveMpr();
    this.hangUp(hang(this.sets, this.priorSets), this.priorManifest);
    this.toolbar.show();
  }

  /** Something else is shown in the room's place. */
  rest() {
    this.cine.stop();
  }

  hangUp(hung, priorManifest = null) {
    this.hung = hung;
    this.setGrid(hung.rows, hung.columns);
    if (hung.kind === "single") this.layout = "1x1";
    hung.places.forEach((placed, at) => {
      const cell = this.cells[at];
      if (!placed) return void cell.clear();
      this.put(cell, placed, placed.prior ? priorManifest : this.manifest);
    });
    if (priorManifest && !hung.places.some((placed) => placed?.prior)) this.say(t("roomPriorUnhung"));
    this.activate(this.cells.find((cell) => cell.view) ?? this.cells[0]);
    this.joined();
    this.alignSoon();
  }

  // Puts frames into a cell, turned as they are to hang.
  put(cell, { frames, index = startIndex(frames) }, manifest = this.manifest) {
    this.cine.stop();
    const set = [...this.sets, ...(this.priorSets ?? [])].find((one) => one.frames === frames || frames.every((frame) => one.frames.includes(frame))) ?? null;
    cell.show({ frames, index, manifest, prior: manifest !== this.manifest, set });
    this.asFirst(cell);
    this.marks();
  }

  // Turned and sized as when it was hung.
  asFirst(cell) {
    const { view } = cell;
    view.reset();
    if (view.frame?.series.Modality === "MG") turn(view, view.frame);
    cell.settle();
  }

  setGrid(rows, columns) {
    while (this.cells.length > rows * columns) this.cells.pop().dispose();
    while (this.cells.length < rows * columns) {
      const cell = new Cell(this, this.cells.length);
      this.listen(cell);
      this.cells.push(cell);
    }
    this.layout = null;
    this.grid.style.setProperty("--rows", rows);
    this.grid.style.setProperty("--columns", columns);
    fill(this.grid, this.cells.map((cell) => cell.element));
    this.grid.classList.remove("enlarged");
    this.grid.dataset.views = rows * columns;
    this.dispatchEvent(new CustomEvent("layout"));
  }

  listen(cell) {
    for (const type of ["pointerdown", "wheel"]) cell.element.addEventListener(type, () => this.activate(cell), { capture: true, passive: true });
    cell.element.addEventListener("dblclick", () => this.enlarge());
  }

  /** The chosen layout, `"1x1"` … `"2x2"`: what is shown stays as far as it fits, empty views take the next sets. */
  setLayout(key) {
    if (!LAYOUTS[key]) return;
    this.leaveMpr();
    const kept = this.active;
    if (this.cells.length > 1 && LAYOUTS[key][0] * LAYOUTS[key][1] === 1 && kept) this.cells.sort((a, b) => (a === kept ? -1 : b === kept ? 1 : 0));
    this.hung = null;
    this.setGrid(...LAYOUTS[key]);
    this.layout = key;
    const shown = this.cells.map((cell) => cell.set);
    const free = this.sets.filter((set) => set.frames.length && !shown.includes(set));
    for (const cell of this.cells) if (!cell.view && free.length) this.put(cell, { frames: free.shift().frames });
    this.activate(this.cells.includes(kept) ? kept : this.cells[0]);
    this.joined();
    this.refit();
    this.toolbar.show();
  }

  // Views that nobody zoomed fill their new room.
  refit() {
    for (const cell of this.cells) if (cell.view && !cell.touched) { cell.view.fit(); cell.settle(); }
    this.alignSoon();
  }

  /** One view as large as the grid, and back. */
  enlarge() {
    if (this.cells.length < 2) return;
    const large = this.grid.classList.toggle("enlarged");
    this.showEnlarged();
    if (!large) this.alignSoon();
    else if (this.active.view && !this.active.touched) { this.active.view.fit(); this.active.settle(); }
  }

  showEnlarged() {
    const large = this.grid.classList.contains("enlarged");
    for (const cell of this.cells) cell.element.hidden = large && cell !== this.active;
  }

  activate(cell) {
    if (this.active === cell || !cell) return;
    this.active = cell;
    for (const one of this.cells) one.element.classList.toggle("active", one === cell);
    this.showEnlarged();
    this.marks();
    this.toolbar.show();
    this.repaint();
    this.dispatchEvent(new CustomEvent("active", { detail: { cell } }));
  }

  /** The next or previous view becomes the active one. */
  step(by) {
    const at = this.cells.indexOf(this.active);
    this.activate(this.cells[(at + by + this.cells.length) % this.cells.length]);
  }

  marks() {
    this.strip?.mark(this.cells.map((cell) => cell.set).filter(Boolean), this.active?.set ?? null);
  }

  repaint() {
    for (const cell of this.cells) cell.view?.repaint();
  }

  cellChanged(cell, what) {
    if (what === "picture") {
      this.strip?.loadThumbnails();
    } else if (what === "frame") {
      takeAlong(this, cell);
      this.mpr?.moved(cell);
      if (cell === this.active) this.repaintOthers(cell);
    }
    if (cell === this.active) this.toolbarSoon();
    if (what !== "picture") this.dispatchEvent(new CustomEvent(what, { detail: { cell } }));
  }

  toolbarSoon() {
    cancelAnimationFrame(this.showing);
    this.showing = requestAnimationFrame(() => this.toolbar.show());
  }

  repaintOthers(cell) {
    for (const other of this.cells) if (other !== cell) other.view?.repaint();
  }

  setLinked(linked) {
    this.linked = linked && this.cells.length > 1;
    this.joined();
    this.toolbar.show();
  }

  // From here on, views without a common space go together.
  joined() {
    for (const cell of this.cells) cell.anchor = cell.view?.index ?? 0;
  }

  setLocalisers(shown) {
    this.localisers = shown;
    this.toolbar.show();
    this.repaint();
  }

  toggleText() {
    this.text = !this.text;
    this.grid.classList.toggle("textless", !this.text);
    this.toolbar.show();
  }

  /** All tools of the left button there are now. */
  get tools() {
    return [...(this.mpr ? [this.mpr.crossTool] : []), ...PLAIN_TOOLS, ...this.moreTools];
  }

  chooseTool(key) {
    const found = this.tools.find((tool) => tool.key === key);
    if (!found) return;
    this.tool = key;
    for (const cell of this.cells) if (cell.view) this.equip(cell);
    this.toolbar.show();
  }

  /** Gives a cell's view the chosen tool. The middle button pans and the right one zooms by themselves. */
  equip(cell) {
    const found = this.tools.find((tool) => tool.key === this.tool) ?? PLAIN_TOOLS[0];
    cell.view.setTool(0, found.make(this, cell.view));
  }

  scroll(steps) {
    const { view } = this.active ?? {};
    if (view?.frames) view.go(Math.max(0, Math.min(view.frames.length - 1, view.index + steps)));
  }

  zoom(factor) {
    this.active?.view?.zoomAt(factor);
  }

  fit() {
    this.active?.view?.fit();
  }

  invert() {
    const { view } = this.active ?? {};
    if (view) view.setInverted(!view.inverted);
  }

  reset() {
    const cell = this.active;
    if (!cell?.view) return;
    this.asFirst(cell);
    this.alignSoon();
  }

  /** Puts the next set of the study (or of the prior, in a prior's view) into the active view. */
  nextSet(by) {
    const cell = this.active;
    const sets = (cell.prior ? this.priorSets : this.sets).filter((set) => set.frames.length);
    const at = sets.indexOf(cell.set);
    const next = sets[at + by];
    if (next && !this.mpr) this.putSet(next, cell);
  }

  /** Puts a set into `cell`, by the strip or the keyboard. */
  putSet(set, cell = this.active) {
    this.leaveMpr();
    const target = this.cells.includes(cell) ? cell : this.cells[0];
    // What is there already stays as the reader has it; so do the views of a mammogram that hang.
    if (target.set === set) return this.focus(target);
    this.hung = this.hung?.kind === "mammography" && set.Modality === "MG" ? this.hung : null;
    this.put(target, { frames: set.frames }, this.priorSets?.includes(set) ? this.priorManifest : this.manifest);
    target.anchor = target.view.index;
    this.focus(target);
    this.toolbar.show();
    this.repaint();
  }

  // Keys are for the picture now, not for the card that was pressed.
  focus(cell) {
    this.activate(cell);
    cell.view.canvas.focus({ preventScroll: true });
  }

  /** The cell at a point of the page, for what is carried there. */
  cellAt(x, y) {
    const element = document.elementFromPoint(x, y)?.closest(".cell");
    return this.cells.find((cell) => cell.element === element) ?? null;
  }

  toggleCine() {
    const { view } = this.active ?? {};
    if (this.cine.playing) this.cine.stop();
    else if (view?.frames?.length > 1) this.cine.play(view, { rate: this.toolbar.rate.value, ready: (index) => view.isReady(index) });
  }

  setRate(rate) {
    this.cine.setRate(rate);
  }

  /** A breast was found in a picture: all are brought to one scale, once the others had the time to be found as well. */
  maskFound() {
    this.repaint();
    this.alignSoon();
  }

  alignSoon() {
    clearTimeout(this.aligning);
    this.aligning = setTimeout(() => {
      const breasts = this.cells.filter((cell) => cell.view?.frame?.series.Modality === "MG" && !cell.touched && !cell.element.hidden);
      if (breasts.length && this.cells.length > 1) alignBreasts(breasts);
    }, ALIGN_WAIT_MS);
  }

  async toggleMpr() {
    if (this.mpr) return this.leaveMpr({ restore: true });
    const { openMpr } = await import("../volume/mpr.js");
    await openMpr(this);
    this.toolbar.show();
  }

  leaveMpr({ restore = false } = {}) {
    if (!this.mpr) return;
    const { before } = this.mpr;
    const mpr = this.mpr;
    this.mpr = null;
    mpr.dispose();
    for (const cell of this.cells) cell.clear();
    this.setGrid(1, 1);
    this.layout = "1x1";
    if (this.tool === "cross") this.chooseTool("window");
    if (restore) this.put(this.cells[0], before, mpr.manifest);
    this.active = null;
    this.activate(this.cells[0]);
  }

  async help() {
    const { showHelp } = await import("./help.js");
    showHelp(this);
  }

  /** Tells the reader one sentence; it goes away by itself, and at the next one. */
  say(sentence, { stays = false } = {}) {
    clearTimeout(this.saying);
    fill(this.said, sentence);
    this.said.hidden = !sentence;
    if (sentence && !stays) this.saying = setTimeout(() => { this.said.hidden = true; }, SAY_MS);
  }

  onKey(event) {
    if (!this.grid.isConnected || this.grid.offsetParent === null || belongsElsewhere(event)) return;
    const action = actionOf(event.key.length === 1 ? event.key.toLowerCase() : event.key, this);
    if (!action) return;
    event.preventDefault();
    action();
  }
}
