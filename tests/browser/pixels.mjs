// What is on the screen is what is in the file: samples the page holds against those the server sends uncompressed, and values read back
// from WebGL against samples, for every kind of pixels the archive has and for made-up pictures of every type.
//
//   PLAYWRIGHT_DIR=/where/npm/put/playwright-core node tests/browser/pixels.mjs BASE_URL SIGN_IN OUT_DIR [FRAMES_MAX]
//
// SIGN_IN is a one-time link or a token. The last line is one JSON object, as kit.mjs makes it; `figures.kinds` says what was seen.

import { dicom, open } from "./kit.mjs";

const [base, signIn, out, most = "120"] = process.argv.slice(2);
if (!base || !signIn || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node pixels.mjs BASE_URL SIGN_IN_LINK_OR_TOKEN OUT_DIR [FRAMES_MAX]");
  process.exit(2);
}
const kit = await open(out);
const { page, check } = kit;
kit.at(base);

await check("sign_in", async () => {
  if (signIn.includes("/sign-in")) await page.goto(new URL(signIn, base).href);
  else {
    await page.goto(`${base}/`);
    await page.locator("#token").fill(signIn);
    await page.locator("form.sign-in button").click();
  }
  await page.locator("#place").waitFor({ state: "attached" });
  await page.locator("form.sign-in").waitFor({ state: "detached" });
  // The page's own modules, from wherever the page has them.
  await page.evaluate(async () => {
    const script = document.querySelector("link[rel=modulepreload]").href;
    const from = (name) => import(new URL(`image/${name}`, script).href);
    const [{ loadManifest }, { PixelStore }, { Renderer }, software, voi, { ImageView }, { nativeSamples }, tables] = await Promise.all(
      ["manifest.js", "pixels.js", "gl.js", "software.js", "voi.js", "view.js", "samples.js", "tables.js"].map(from));
    window.engine = { loadManifest, PixelStore, Renderer, software, voi, ImageView, nativeSamples, tables, renderer: new Renderer({ slow: true }), store: new PixelStore() };
  });
  return (await page.evaluate(() => engine.renderer.kind)) === "webgl2" ? "" : "this browser has no WebGL2";
});

// Every value of a type through a texture and a table of 256 levels, twice: its low and its high byte.
await check("every_value_of_every_type_comes_back_from_webgl", () => page.evaluate(() => {
  const identity = [1, 0, 0, 1, 0, 0];
  for (const [Samples, bits, signed] of [[Uint8Array, 8, false], [Int8Array, 8, true], [Uint16Array, 12, false], [Uint16Array, 16, false], [Int16Array, 12, true], [Int16Array, 16, true]]) {
    const count = 2 ** bits;
    const first = signed ? -count / 2 : 0;
    const width = Math.min(256, count);
    const samples = Samples.from({ length: count }, (_, at) => first + at);
    const picture = { columns: width, rows: count / width, width, height: count / width, level: 0, components: 1, bits, signed, samples };
    const read = [0, 8].map((shift) => engine.renderer.read({
      picture, map: identity, width, height: picture.height, smooth: true,
      shading: { kind: "table", table: Uint8Array.from({ length: count }, (_, at) => (at >> shift) & 255), first, padding: null, invert: false },
    }));
    for (let at = 0; at < count; at++) {
      const value = first + read[0][4 * at] + 256 * read[1][4 * at];
      if (value !== samples[at]) return `${Samples.name}, ${bits} bits: ${samples[at]} comes back as ${value}`;
    }
  }
  return "";
}));

await check("colours_and_palettes_come_back_from_webgl", () => page.evaluate(() => {
  const identity = [1, 0, 0, 1, 0, 0];
  const shape = { columns: 16, rows: 16, width: 16, height: 16, level: 0, signed: false };
  const rgb = Uint8Array.from({ length: 768 }, (_, at) => (at * 37) & 255);
  for (const [samples, bits] of [[rgb, 8], [Uint16Array.from(rgb, (value) => value * 257), 16]]) {
    const read = engine.renderer.read({ picture: { ...shape, components: 3, bits, samples }, map: identity, width: 16, height: 16, smooth: true, shading: { kind: "colour", bits, invert: false } });
    for (let at = 0; at < 256; at++) for (let part = 0; part < 3; part++) if (read[4 * at + part] !== rgb[3 * at + part]) return `${bits} bits: ${rgb[3 * at + part]} comes back as ${read[4 * at + part]}`;
  }
  const numbers = Uint8Array.from({ length: 256 }, (_, at) => 255 - at);
  const read = engine.renderer.read({ picture: { ...shape, components: 1, bits: 8, samples: numbers }, map: identity, width: 16, height: 16, smooth: true, shading: { kind: "palette", table: rgb, first: 3, invert: false } });
  for (let at = 0; at < 256; at++) {
    const entry = Math.max(0, Math.min(255, numbers[at] - 3));
    for (let part = 0; part < 3; part++) if (read[4 * at + part] !== rgb[3 * entry + part]) return `palette: number ${numbers[at]} is shown as ${read[4 * at + part]}`;
  }
  return "";
}));

// The plain canvas draws what WebGL draws: windows of all functions, turned and enlarged, with padding.
await check("the_plain_canvas_draws_the_same", () => page.evaluate(() => {
  const samples = Int16Array.from({ length: 64 * 48 }, (_, at) => (at % 97 === 0 ? -2000 : Math.round(900 * Math.sin(at / 50) + (at % 64))));
  const picture = { columns: 64, rows: 48, width: 64, height: 48, level: 0, components: 1, bits: 16, signed: true, samples };
  for (const kind of ["LINEAR", "LINEAR_EXACT", "SIGMOID"]) {
    for (const invert of [false, true]) {
      for (const map of [[1, 0, 0, 1, 0, 0], [0, 0.31, -0.31, 0, 50, -3], [-2.7, 0, 0, 2.7, 64, 0], [0.4, 0, 0, 0.4, -3, 5.2]]) {
        for (const padding of [null, [-2000, -2000]]) {
          const scene = { picture, map, width: 120, height: 90, smooth: true, shading: { kind: "window", center: 40, width: 700, function: kind, slope: 1.5, intercept: -20, padding, invert } };
          const [a, b] = [engine.renderer.read(scene), engine.software.pixels(scene)];
          const apart = a.map((value, at) => Math.abs(value - b[at]));
          // Beside padding, what is mixed from its neighbours may differ: a few pixels, and none is black in one of them only.
          const wrong = apart.filter((value) => value > 1).length;
          const holes = a.filter((value, at) => (value === 0) !== (b[at] === 0) && apart[at] > 1).length;
          const near = padding && map[1] === 0 ? a.length / 20 : 0;
          if (wrong > near || holes > wrong / 4) return `${kind}, ${map}, padding ${padding}: ${wrong} are apart, ${holes} black in one only`;
        }
      }
    }
  }
  return "";
}));

// A picture larger than a texture is tiled; no seam is seen.
await check("tiles_show_no_seam", () => page.evaluate(() => {
  const tiled = new engine.Renderer({ slow: true });
  if (tiled.kind !== "webgl2") return "no second context";
  tiled.side = 20;
  const samples = Uint16Array.from({ length: 61 * 47 }, (_, at) => (at * 2654435761) >>> 20);
  const picture = { columns: 61, rows: 47, width: 61, height: 47, level: 0, components: 1, bits: 12, signed: false, samples };
  const scene = { picture, map: [0.37, 0, 0, 0.37, 1.3, -2.2], width: 150, height: 120, smooth: true, shading: { kind: "window", center: 2048, width: 4096, function: "LINEAR", slope: 1, intercept: 0, padding: null, invert: false } };
  const [a, b] = [tiled.read(scene), engine.renderer.read({ ...scene, picture: { ...picture } })];
  tiled.dispose();
  const wrong = a.findIndex((value, at) => Math.abs(value - b[at]) > 1);
  return wrong < 0 ? "" : `pixel ${wrong >> 2} is ${a[wrong]} in tiles and ${b[wrong]} in one`;
}));

const studies = (await dicom(page, "studies?limit=500")).map((row) => row["0020000D"].Value[0]);

// One frame of each kind: how it is held, what it is, how its samples are stored.
const chosen = await page.evaluate(async ([studies, most]) => {
  const kinds = new Map();
  for (const study of studies) {
    const { series } = await engine.loadManifest(study);
    for (const frame of series.flatMap(({ frames }) => [frames[0], frames[frames.length >> 1]]).filter(Boolean)) {
      const { instance } = frame;
      const kind = ["transfer_syntax", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "PixelRepresentation", "PlanarConfiguration"].map((name) => instance[name] ?? "").join(" ");
      if (!kinds.has(kind) && kinds.size < most) kinds.set(kind, frame);
    }
  }
  engine.kinds = kinds;
  return [...kinds.keys()];
}, [studies, Number(most)]);
kit.figures.kinds = {};

const judge = (kind) => page.evaluate(async (kind) => {
  const frame = engine.kinds.get(kind);
  const { instance } = frame;
  const path = `/dicom-web/studies/${frame.address[0]}/series/${frame.address[1]}/instances/${frame.address[2]}/frames/${frame.number}`;
  const picture = await engine.store.whole(frame, AbortSignal.timeout(60_000)).catch((error) => ({ error: `${error.name} ${error.status ?? ""} ${error.message}` }));
  const native = await fetch(path, { headers: { Accept: "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1" } });
  if (picture.error) return native.ok ? { wrong: picture.error } : { refused: picture.error };
  const said = `${picture.components}×${picture.bits}${picture.signed ? " signed" : ""} ${picture.quality.kind}`;
  if (!native.ok) return { said: `${said}, the server sends no samples (${native.status})` };
  if (picture.quality.kind === "rendered") return { wrong: "rendered, although the server sends samples" };
  const colour = Number(instance.SamplesPerPixel) > 1;
  // Samples of colours as decoded: what luminance and chrominance become is compared with the server's rendering below.
  const isYbr = String(instance.PhotometricInterpretation).startsWith("YBR");
  let largest = 0;
  if (!isYbr) {
    const stored = Number(instance.BitsStored);
    const shape = { columns: frame.columns, rows: frame.rows, components: colour ? 3 : 1, allocated: Number(instance.BitsAllocated), stored, highBit: Number(instance.HighBit ?? stored - 1), signed: Number(instance.PixelRepresentation) === 1, planar: false, subsampled: false };
    // Planar Configuration is of what is held native; what is decoded from a codestream comes pixel by pixel.
    if (instance.transfer_syntax.startsWith("1.2.840.10008.1.2.1")) shape.planar = Number(instance.PlanarConfiguration) === 1;
    const expected = engine.nativeSamples(new Uint8Array(await native.arrayBuffer()), shape).samples;
    if (expected.length !== picture.samples.length) return { wrong: `${picture.samples.length} samples of ${expected.length}` };
    for (let at = 0; at < expected.length; at++) largest = Math.max(largest, Math.abs(expected[at] - picture.samples[at]));
    // Two decoders of baseline JPEG may round differently; everything else is exact.
    const isBrowsers = instance.transfer_syntax === "1.2.840.10008.1.2.4.50";
    if (largest > (isBrowsers ? 4 : 0)) return { wrong: `a sample is off by ${largest}` };
  }
  return { said: largest ? `${said}, off by ${largest} at the most` : said };
}, kind);

await check("samples_are_those_of_the_file", async () => {
  const wrong = [];
  for (const kind of chosen) {
    const result = await judge(kind);
    kit.figures.kinds[kind] = result.said ?? result.refused ?? result.wrong;
    if (result.wrong) wrong.push(`${kind}: ${result.wrong}`);
  }
  return wrong.join("; ");
});

// The whole way, file to screen, against the server's own rendering of the frame: window, inversion, palette and colours.
await check("the_screen_shows_what_the_server_renders", async () => {
  const wrong = [];
  for (const kind of chosen) {
    const result = await page.evaluate(async (kind) => {
      const frame = engine.kinds.get(kind);
      const path = `/dicom-web/studies/${frame.address[0]}/series/${frame.address[1]}/instances/${frame.address[2]}/frames/${frame.number}/rendered`;
      const answer = await fetch(path, { headers: { Accept: "image/png" } });
      if (!answer.ok) return "";
      const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" });
      const picture = await engine.store.whole(frame).catch(() => null);
      if (!picture) return "the page does not show it";
      const tables = await engine.tables.tablesOf(frame);
      // LUTs are the page's own: the server renders windows only.
      if (bitmap.width !== picture.width || tables.modality || tables.voi) return "";
      const { voi } = engine;
      const stated = voi.statedWindows(frame).length;
      const found = stated ? null : voi.foundWindow(picture, voi.rescaleOf(frame), voi.paddingOf(frame));
      const shading = voi.shadingOf(frame, { voi: null, found, tables, picture });
      const [width, height] = [Math.min(1024, picture.width), Math.min(1024, picture.height)];
      const shown = engine.renderer.read({ picture, map: [1, 0, 0, 1, 0, 0], width, height, shading, smooth: true });
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const expected = context.getImageData(0, 0, width, height).data;
      let [sum, largest] = [0, 0];
      for (let at = 0; at < shown.length; at++) {
        const apart = Math.abs(shown[at] - expected[at]);
        sum += apart;
        largest = Math.max(largest, apart);
      }
      // A found window is an estimate from a part of the samples; padding is grey to the server and black here.
      const mean = sum / shown.length;
      const isExact = stated && !shading.padding;
      return mean > (isExact ? 0.6 : 3) || (isExact && largest > 6) ? `mean ${mean.toFixed(2)}, largest ${largest}` : "";
    }, kind);
    if (result) wrong.push(`${kind}: ${result}`);
  }
  return wrong.join("; ");
});

await check("a_lost_context_is_survived", () => page.evaluate(async () => {
  const place = document.createElement("div");
  Object.assign(place.style, { position: "fixed", inset: "0", zIndex: "9", background: "#000" });
  document.body.append(place);
  const view = new engine.ImageView(place, { store: engine.store, renderer: engine.renderer });
  const frame = [...engine.kinds.values()].find((one) => one.held.transferSyntax === "1.2.840.10008.1.2.4.202" && !one.isColour) ?? [...engine.kinds.values()][0];
  view.show([frame], 0);
  await engine.store.whole(frame);
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const look = () => {
    const { data } = view.context.getImageData(0, 0, view.canvas.width, view.canvas.height);
    return data.reduce((sum, value, at) => (at % 4 === 3 ? sum : sum + value), 0);
  };
  await painted();
  const before = look();
  const extension = engine.renderer.loseContext;
  extension.loseContext();
  await new Promise((resolve) => setTimeout(resolve, 600));
  await painted();
  const [lost, kind] = [look(), engine.renderer.kind];
  extension.restoreContext();
  await new Promise((resolve) => setTimeout(resolve, 600));
  await painted();
  const [back, again] = [look(), engine.renderer.kind];
  view.dispose();
  place.remove();
  const near = (value) => Math.abs(value - before) <= before / 500;
  if (!before) return "nothing was drawn";
  if (kind !== "software" || !near(lost)) return `while it is lost (${kind}) ${lost} is drawn, not ${before}`;
  return again === "webgl2" && near(back) ? "" : `when it is back (${again}) ${back} is drawn, not ${before}`;
}));

await kit.finish();
