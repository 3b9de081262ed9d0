// Pictures of cuts, made when they are looked at: to an ImageView it is a PixelStore.

/** Cuts kept, in bytes. */
const CUTS_BYTES_MAX = 48 * 1024 * 1024;

export class CutStore extends EventTarget {
  constructor(volume, { bits, signed }) {
    super();
    Object.assign(this, { volume, bits, signed, slab: { mm: 0, kind: "mean" }, kept: new Map(), bytes: 0 });
  }

  /** Makes the first `seen` of `frames`; the others are made when it is their turn. */
  want(frames, { seen = 1 } = {}) {
    for (const frame of frames.slice(0, seen)) this.picture(frame);
  }

  get(frame) {
    return this.kept.get(frame.key) ?? null;
  }

  fit(frame) {
    return this.picture(frame);
  }

  async whole(frame) {
    return this.picture(frame);
  }

  quality() {
    return { kind: "computed" };
  }

  levelsOf() {
    return 0;
  }

  errorOf() {
    return null;
  }

  isHere() {
    return true;
  }

  forgive() {}

  dispose() {
    this.kept.clear();
    this.bytes = 0;
  }

  /** The picture of a cut; made now where it is not kept. */
  picture(frame) {
    let picture = this.kept.get(frame.key);
    if (picture) return picture;
    const { rows, columns } = frame.plane;
    picture = { frame, columns, rows, width: columns, height: rows, level: 0, components: 1, bits: this.bits, signed: this.signed, samples: this.volume.cut(frame.plane, this.slab), quality: this.quality() };
    this.kept.set(frame.key, picture);
    this.bytes += picture.samples.byteLength;
    for (const [key, old] of this.kept) {
      if (this.bytes <= CUTS_BYTES_MAX || old === picture) break;
      this.kept.delete(key);
      this.bytes -= old.samples.byteLength;
    }
    // Told after whoever asked has got it.
    queueMicrotask(() => this.dispatchEvent(Object.assign(new Event("picture"), { frame, picture })));
    return picture;
  }

  /** From now on cuts are as thick as `slab` says; those in `frames` are made anew at once. */
  setSlab(slab, frames) {
    this.slab = slab;
    this.dispose();
    for (const frame of frames) this.picture(frame);
  }
}
