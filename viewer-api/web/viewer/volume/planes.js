// The axial, sagittal and coronal stacks of a volume, as frames that an ImageView shows like those of a file. No DOM.

import { Frame } from "../image/manifest.js";
import { cross, dot, planeOf } from "../room/geometry.js";

/**
 * Directions of the three stacks (patient coordinates, PS3.3 C.7.6.2.1.1: +x left, +y posterior, +z head): axial seen from the feet, sagittal from
 * the left, coronal from the front, as readers expect them.
 */
export const ORIENTATIONS = {
  axial: { row: [1, 0, 0], column: [0, 1, 0] },
  sagittal: { row: [0, 1, 0], column: [0, 0, -1] },
  coronal: { row: [1, 0, 0], column: [0, 0, -1] },
};
/** Rows and columns of a cut are at most so many. */
const SIDE_MAX = 1024;

/** The frames of one stack through `volume`, from front to back of its normal; `like` is a frame of the source. */
export function stackOf(volume, orientation, like) {
  const { row, column } = ORIENTATIONS[orientation];
  const normal = cross(row, column);
  const [across, down, deep] = [row, column, normal].map((direction) => extent(volume, direction));
  // Square pixels of the finest step, so that a cut is as sharp as the volume allows and no sharper.
  const pixel = Math.max(Math.min(...volume.spacing), across.length / SIDE_MAX, down.length / SIDE_MAX);
  const step = stepAlong(volume, normal);
  const size = { columns: Math.max(1, Math.round(across.length / pixel)), rows: Math.max(1, Math.round(down.length / pixel)) };
  const count = Math.max(1, Math.round(deep.length / step));
  const series = { ...describe(like.series), frames: [] };
  for (let index = 0; index < count; index++) {
    const place = deep.least + step / 2 + index * step;
    const start = [row, column, normal].reduce((point, direction, at) => {
      const length = [across.least + pixel / 2, down.least + pixel / 2, place][at];
      return point.map((part, axis) => part + direction[axis] * length);
    }, [0, 0, 0]);
    series.frames.push(new CutFrame(series, like, { orientation, index, start, row, column, pixel, size, step }));
  }
  return series.frames;
}

// What a series says of itself; its frames stay behind.
function describe({ frames, ...rest }) {
  return rest;
}

// How far the volume reaches along `direction`, from edge to edge, in mm from the origin of the patient's space.
function extent(volume, direction) {
  const begin = dot(volume.origin, direction);
  let [least, most] = [begin, begin];
  volume.axes.forEach((axis, at) => {
    const per = dot(axis, direction) * volume.spacing[at];
    const [low, high] = [-0.5 * per, (volume.size[at] - 0.5) * per];
    least += Math.min(low, high);
    most += Math.max(low, high);
  });
  return { least, length: most - least };
}

// From cut to cut as far as from voxel to voxel along the axis that is nearest to the direction.
function stepAlong(volume, direction) {
  const along = volume.axes.map((axis) => Math.abs(dot(axis, direction)));
  return volume.spacing[along.indexOf(Math.max(...along))];
}

const OWN = new Set(["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "SliceThickness", "SliceLocation", "NumberOfFrames", "InstanceNumber",
  "ImagerPixelSpacing", "PixelAspectRatio", "PatientOrientation", "SpacingBetweenSlices", "SOPInstanceUID", "ImageType", "PerFrame", "representation", "frame_bytes", "resolution_ends"]);
const FROM_FRAME = ["FrameOfReferenceUID", "RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth", "VOILUTFunction"];

/** A cut through a volume, to be read like a Frame. It has no instance of its own: what is measured on it cannot be saved against one. */
class CutFrame extends Frame {
  constructor(series, like, { orientation, index, start, row, column, pixel, size, step }) {
    const instance = { row: index };
    for (const [keyword, value] of Object.entries(like.instance)) if (!OWN.has(keyword)) instance[keyword] = value;
    for (const keyword of FROM_FRAME) if (like.value(keyword) !== undefined && like.value(keyword) !== null) instance[keyword] = like.value(keyword);
    super(series, Object.assign(instance, {
      ImagePositionPatient: start, ImageOrientationPatient: [...row, ...column], PixelSpacing: [pixel, pixel], Rows: size.rows, Columns: size.columns,
      SliceThickness: step, InstanceNumber: index + 1, ImageType: ["DERIVED", "SECONDARY", "MPR"],
    }), 1);
    // Marks are found again by this: those of one series, or clip, have no business on the cuts of another.
    const source = Number(like.instance.NumberOfFrames) > 1 ? like.instance.SOPInstanceUID : series.SeriesInstanceUID;
    this.key = `${source} ${orientation}:${index}`;
    this.derived = true;
    this.plane = planeOf(this);
  }
}
