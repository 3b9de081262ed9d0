// One worker of the pool: bytes of a frame in, a picture out. HTJ2K by our own decoder, native samples, and what the browser itself reads.
//
// It is sent the decoder's `{module}`, or `{missing}`, why there is none. Asked `{id, kind, bytes, level, …}` it answers `{id, picture}` or
// `{id, error: {message, code}}`, samples handed over, not copied.

import { Decoder } from "./htj2k.js";
import { halved, nativeSamples, rgbOfYbr } from "./samples.js";

/** A decoder that has grown beyond this for one large frame gives its memory back. */
const DECODER_BYTES_MAX = 48 * 1024 * 1024;
/** 2^27: a frame of more samples is refused by the decoder before it takes memory. */
const SAMPLES_MAX = 1 << 27;

let begin;
let fail;
const ready = new Promise((resolve, reject) => { [begin, fail] = [resolve, reject]; });
// Whoever asks first hears of a failure; until then it is not an unhandled one.
ready.catch(() => {});

const KINDS = { htj2k: fromHtj2k, native: fromNative, browser: fromBrowser };

addEventListener("message", async ({ data }) => {
  if (data.module) return begin(Decoder.load(data.module, { samplesMax: SAMPLES_MAX }));
  if (data.missing) return fail(new Error(data.missing));
  try {
    const picture = await KINDS[data.kind](data);
    postMessage({ id: data.id, picture }, [picture.samples.buffer]);
  } catch (error) {
    postMessage({ id: data.id, error: { message: String(error.message ?? error), code: error.code ?? 0 } });
  }
});

// `level` 0 is full resolution; a level the codestream has not is the lowest it has. `prefix`: the rest of the bytes is still on its way.
async function fromHtj2k({ bytes, level, prefix, ybr }) {
  const decoder = await ready;
  try {
    decoder.clear();
    decoder.reserve(bytes.length);
    decoder.push(bytes);
    const info = decoder.info();
    const reduce = Math.min(level, info.decompositions);
    const { width, height, components, bits, signed, samples } = decoder.decode({ reduce, prefix });
    if (ybr && components === 3) rgbOfYbr(samples);
    return { columns: info.width, rows: info.height, width, height, level: reduce, levels: info.decompositions, origin: 0.5, components, bits, signed, samples, reversible: info.reversible };
  } finally {
    decoder.clear();
    if (decoder.memoryBytes > DECODER_BYTES_MAX) decoder.reset();
  }
}

function fromNative({ bytes, level, shape }) {
  return reduced({ ...nativeSamples(bytes, shape), levels: 0 }, level);
}

// A JPEG of 8 bits, or a picture the server drew. Colours are taken as they are: no profile is applied to what is measured.
async function fromBrowser({ bytes, level, mediaType, grey }) {
  const bitmap = await createImageBitmap(new Blob([bytes], { type: mediaType }), { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const components = grey ? 1 : 3;
  const samples = new Uint8Array(width * height * components);
  for (let from = 0, to = 0; from < data.length; from += 4) for (let part = 0; part < components; part++) samples[to++] = data[from + part];
  return reduced({ columns: width, rows: height, width, height, level: 0, levels: 0, origin: 0, components, bits: 8, signed: false, samples }, level);
}

function reduced(picture, level) {
  let smaller = picture;
  for (let done = 0; done < level && Math.min(smaller.width, smaller.height) > 1; done++) smaller = halved(smaller);
  return smaller;
}
