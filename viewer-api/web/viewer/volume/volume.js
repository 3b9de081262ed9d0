// A regular volume of samples and planes cut through it: trilinear interpolation, thick slabs as a mean or a maximum. No DOM.

import { along, dot, minus } from "../room/geometry.js";

/** A slab is made of cuts this far apart at most, as a part of the smallest step of the volume. */
const SLAB_CUTS_MAX = 33;

export class Volume {
  /**
   * `geometry` as `regularity` gives it, `reduction` as `planVolume` does, `signed` of the samples. Slices are put in one by one.
   */
  constructor(geometry, { reduction = 1, signed = true } = {}) {
    const [columns, rows, slices] = geometry.size;
    this.reduction = reduction;
    this.source = geometry;
    this.size = [Math.floor(columns / reduction), Math.floor(rows / reduction), slices];
    this.spacing = [geometry.spacing[0] * reduction, geometry.spacing[1] * reduction, geometry.spacing[2]];
    this.axes = geometry.axes;
    // The centre of the first averaged block lies between the centres of its samples.
    const aside = (reduction - 1) / 2;
    this.origin = along(along(geometry.origin, geometry.axes[0], aside * geometry.spacing[0]), geometry.axes[1], aside * geometry.spacing[1]);
    const length = this.size[0] * this.size[1] * this.size[2];
    this.samples = signed ? new Int16Array(length) : new Uint16Array(length);
    this.least = Infinity;
  }

  /** Puts in the samples of slice `at`: row by row, of the whole matrix. */
  put(at, samples) {
    const [columns, rows] = this.size;
    const wide = this.source.size[0];
    const { reduction } = this;
    let to = at * columns * rows;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, to++) {
        const value = reduction === 1 ? samples[row * wide + column] : mean(samples, wide, column * reduction, row * reduction, reduction);
        this.samples[to] = value;
        if (value < this.least) this.least = value;
      }
    }
  }

  /** Voxel coordinates `[i, j, k]` of a point of the patient; whole numbers are centres of voxels. */
  voxelOf(point) {
    const from = minus(point, this.origin);
    return this.axes.map((axis, at) => dot(from, axis) / this.spacing[at]);
  }

  /** The trilinear value at voxel coordinates, or `null` outside. */
  valueAt([i, j, k]) {
    const [columns, rows, slices] = this.size;
    if (!(i >= -0.5 && j >= -0.5 && k >= -0.5 && i <= columns - 0.5 && j <= rows - 0.5 && k <= slices - 0.5)) return null;
    return this.interpolate(i, j, k);
  }

  // Between the outermost centres and the edge, the outermost samples go on.
  interpolate(i, j, k) {
    const [columns, rows, slices] = this.size;
    const { samples } = this;
    const x = i < 0 ? 0 : i > columns - 1 ? columns - 1 : i;
    const y = j < 0 ? 0 : j > rows - 1 ? rows - 1 : j;
    const z = k < 0 ? 0 : k > slices - 1 ? slices - 1 : k;
    const [x0, y0, z0] = [x | 0, y | 0, z | 0];
    const [fx, fy, fz] = [x - x0, y - y0, z - z0];
    const plane = columns * rows;
    const dx = x0 < columns - 1 ? 1 : 0;
    const dy = y0 < rows - 1 ? columns : 0;
    const dz = z0 < slices - 1 ? plane : 0;
    const at = z0 * plane + y0 * columns + x0;
    const near = (samples[at] * (1 - fx) + samples[at + dx] * fx) * (1 - fy) + (samples[at + dy] * (1 - fx) + samples[at + dx + dy] * fx) * fy;
    if (fz === 0) return near;
    const far = (samples[at + dz] * (1 - fx) + samples[at + dx + dz] * fx) * (1 - fy) + (samples[at + dy + dz] * (1 - fx) + samples[at + dx + dy + dz] * fx) * fy;
    return near * (1 - fz) + far * fz;
  }

  /**
   * A cut: samples of `plane` (as `planeOf` makes it) row by row. `slab` is `{mm, kind: "mean" | "max"}`: what lies within half of `mm` on both sides
   * is put together. Outside the volume stands the least sample there is.
   */
  cut(plane, slab = { mm: 0, kind: "mean" }) {
    const { rows, columns } = plane;
    const out = new this.samples.constructor(rows * columns);
    const depths = slabDepths(slab.mm, Math.min(...this.spacing));
    const start = this.voxelOf(plane.origin);
    const step = (direction, mm) => this.axes.map((axis, at) => (dot(direction, axis) * mm) / this.spacing[at]);
    const across = step(plane.row, plane.spacing.column);
    const down = step(plane.column, plane.spacing.row);
    const through = step(plane.normal, 1);
    const most = slab.kind === "max";
    for (let row = 0, to = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, to++) {
        const i = start[0] + across[0] * column + down[0] * row;
        const j = start[1] + across[1] * column + down[1] * row;
        const k = start[2] + across[2] * column + down[2] * row;
        out[to] = depths.length === 1 ? this.sampleAt(i, j, k) : this.through(i, j, k, through, depths, most);
      }
    }
    return out;
  }

  sampleAt(i, j, k) {
    const [columns, rows, slices] = this.size;
    if (!(i >= -0.5 && j >= -0.5 && k >= -0.5 && i <= columns - 0.5 && j <= rows - 0.5 && k <= slices - 0.5)) return this.least;
    return Math.round(this.interpolate(i, j, k));
  }

  through(i, j, k, direction, depths, most) {
    const [columns, rows, slices] = this.size;
    let [sum, count, largest] = [0, 0, -Infinity];
    for (const depth of depths) {
      const [x, y, z] = [i + direction[0] * depth, j + direction[1] * depth, k + direction[2] * depth];
      if (!(x >= -0.5 && y >= -0.5 && z >= -0.5 && x <= columns - 0.5 && y <= rows - 0.5 && z <= slices - 0.5)) continue;
      const value = this.interpolate(x, y, z);
      sum += value;
      count++;
      if (value > largest) largest = value;
    }
    return count ? Math.round(most ? largest : sum / count) : this.least;
  }
}

// Depths in mm from the middle, evenly, at most as far apart as the volume's smallest step.
function slabDepths(mm, step) {
  if (!(mm > 0)) return [0];
  const count = Math.min(SLAB_CUTS_MAX, Math.max(2, Math.ceil(mm / step) + 1));
  return Array.from({ length: count }, (_, at) => -mm / 2 + (mm * at) / (count - 1));
}

function mean(samples, wide, column, row, side) {
  let sum = 0;
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) sum += samples[(row + y) * wide + column + x];
  return Math.round(sum / (side * side));
}
