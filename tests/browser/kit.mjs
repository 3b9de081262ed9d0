// What the runs of other people's viewers share: a browser that draws with WebGL in software, checks that cannot take each other down,
// and everything the page was refused or complained of.

import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

// No GPU on the machines this runs on: ANGLE's own rasteriser.
const FLAGS = [
  "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

// Without any graphics: what a page without WebGL is drawn by where there is no card.
export const PLAIN_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export function module(name) {
  return createRequire(join(process.env.PLAYWRIGHT_DIR, "/"))(name);
}

// `flags` are the browser's own where a page needs no WebGL.
export async function open(out, flags = FLAGS) {
  mkdirSync(out, { recursive: true });
  const { chromium } = module("playwright-core");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: "ja-JP" });
  page.setDefaultTimeout(Number(process.env.WAIT_MS ?? 90_000));
  const kit = { browser, page, checks: {}, milliseconds: {}, figures: {}, refused: [], complaints: [], foreign: new Set(), asked: [] };
  let origin = "";

  page.on("response", (response) => {
    const request = response.request();
    kit.asked.push({ status: response.status(), url: response.url(), range: request.headers().range, credential: "authorization" in request.headers() });
    if (response.status() >= 400) kit.refused.push(`${response.status()} ${request.method()} ${response.url().replace(origin, "")}`);
  });
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText ?? "";
    // A page that is left takes back what it still waits for.
    if (!why.includes("ERR_ABORTED")) kit.refused.push(`${why} ${request.url().replace(origin, "")}`);
  });
  page.on("console", (message) => message.type() === "error" && kit.complaints.push(message.text().slice(0, 300)));
  page.on("pageerror", (error) => kit.complaints.push(String(error).slice(0, 300)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && origin && url.origin !== origin) kit.foreign.add(url.origin);
  });

  kit.at = (url) => { origin = url; };
  // `action` answers what is wrong, or nothing.
  kit.check = async (name, action) => {
    const begin = performance.now();
    try {
      const wrong = await action();
      kit.checks[name] = wrong ? String(wrong) : true;
    } catch (error) {
      kit.checks[name] = String(error.message ?? error).split("\n")[0];
    }
    kit.milliseconds[name] = Math.round(performance.now() - begin);
    console.error(`${name}: ${kit.checks[name] === true ? "ok" : kit.checks[name]} (${kit.milliseconds[name]} ms)`);
    await page.screenshot({ path: join(out, `${name}.png`) }).catch(() => {});
  };
  kit.until = async (what, test, deadline_ms = Number(process.env.WAIT_MS ?? 90_000)) => {
    const deadline = performance.now() + deadline_ms;
    while (performance.now() < deadline) {
      if (await test()) return "";
      await page.waitForTimeout(100);
    }
    return what;
  };
  kit.finish = async () => {
    await browser.close();
    const ok = Object.values(kit.checks).every((result) => result === true);
    const { checks, milliseconds, figures, refused, complaints } = kit;
    console.log(JSON.stringify({ ok, checks, milliseconds, figures, refused, complaints }));
    process.exit(ok ? 0 : 1);
  };
  return kit;
}

// DICOM JSON from the archive, through the page (and so with its session).
export const dicom = (page, path) => page.evaluate(async (path) => {
  const response = await fetch(`/dicom-web/${path}`, { headers: { Accept: "application/dicom+json" } });
  return response.status === 204 ? [] : response.json();
}, path);

// How alike a canvas shows what the archive itself draws at `url` (a rendered image of the same frame): the coefficient of
// correlation of the greys of both over a coarse raster, the picture being fitted to the middle of the canvas.
export const likeness = (page, selector, url) => page.evaluate(async ([selector, url]) => {
  const SIDE = 48;
  const canvas = [...document.querySelectorAll(selector)].find((one) => one.width > 100);
  const response = await fetch(url, { headers: { Accept: "image/png" } });
  if (!canvas || !response.ok) return { why: canvas ? `${response.status} from ${url}` : `no ${selector}` };
  const picture = await createImageBitmap(await response.blob());
  const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  const greys = (source, x, y, w, h) => {
    const small = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
    small.drawImage(source, x, y, w, h, 0, 0, SIDE, SIDE);
    const { data } = small.getImageData(0, 0, SIDE, SIDE);
    return Array.from({ length: SIDE * SIDE }, (_, at) => (data[4 * at] + data[4 * at + 1] + data[4 * at + 2]) / 3);
  };
  const shown = greys(canvas, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  const expected = greys(picture, 0, 0, picture.width, picture.height);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [a, b] = [mean(shown), mean(expected)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let at = 0; at < shown.length; at++) {
    ab += (shown[at] - a) * (expected[at] - b);
    aa += (shown[at] - a) ** 2;
    bb += (expected[at] - b) ** 2;
  }
  return { levels: new Set(shown.map(Math.round)).size, correlation: aa && bb ? ab / Math.sqrt(aa * bb) : 0, mean: a, expected: b };
}, [selector, url]);
