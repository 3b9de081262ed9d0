// How soon does the viewer show a picture, and does it keep up with a reader who scrolls; beside Cornerstone3D on the same server.
//
//   tsunagu generate STUDIES --profile viewer; tsunagu --data DATA import STUDIES; tsunagu --data DATA serve --listen 127.0.0.1:9100
//   PLAYWRIGHT_DIR=DIR TTFP=…/peers/viewer/ttfp.mjs node benches/viewer/time.mjs http://127.0.0.1:9100 TOKEN OUT [RUNS]
//
// PLAYWRIGHT_DIR has playwright-core, esbuild, @cornerstonejs/core and @cornerstonejs/dicom-image-loader. TTFP films pages over a link of
// 10 Mbit/s and 40 ms; without it only the second part runs. The last line is one JSON object of medians.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serve } from "./server.mjs";

const [archive, token, out, runs = "5"] = process.argv.slice(2);
const { PLAYWRIGHT_DIR, TTFP } = process.env;
if (!archive || !token || !out || !PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR TTFP=ttfp.mjs node time.mjs ARCHIVE_URL TOKEN OUT [RUNS]");
  process.exit(2);
}
const FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--enable-precise-memory-info"];
const SLICES_PER_SECOND = 30;
const LOADED_MS_MAX = 120_000;
const here = dirname(fileURLToPath(import.meta.url));
const need = createRequire(join(PLAYWRIGHT_DIR, "/"));
const packages = join(PLAYWRIGHT_DIR, "node_modules");
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? null;

async function ask(path) {
  const answer = await fetch(`${archive}/dicom-web/${path}`, { headers: { Authorization: `Bearer ${token}`, Accept: "application/json, application/dicom+json" } });
  if (!answer.ok) throw new Error(`${path} is answered ${answer.status}`);
  return answer.json();
}

// The study of this modality with the most pixels in a series, and the path of that series' first frame.
async function largest(modality) {
  let best = null;
  for (const row of await ask(`studies?ModalitiesInStudy=${modality}`)) {
    const study = row["0020000D"].Value[0];
    for (const series of (await ask(`studies/${study}/manifest`)).series) {
      const value = (keyword) => series.instances[keyword]?.all ?? series.instances[keyword]?.each?.[0];
      const pixels = (value("Rows") ?? 0) * (value("Columns") ?? 0) * series.count;
      if (series.Modality !== modality || pixels <= (best?.pixels ?? 0)) continue;
      const bytes = series.instances.frame_bytes?.all?.[0] ?? series.instances.frame_bytes?.each?.[0]?.[0];
      best = { study, pixels, bytes, count: series.count, matrix: `${value("Columns")} x ${value("Rows")}`, frame: `/dicom-web/studies/${study}/series/${series.SeriesInstanceUID}/instances/${value("SOPInstanceUID")}/frames/1` };
    }
  }
  if (!best) throw new Error(`there is no ${modality} here: tsunagu generate --profile viewer makes one`);
  return best;
}

async function film(label, page) {
  const asked = [TTFP, "--playwright", PLAYWRIGHT_DIR, "--page", page, "--runs", runs, "--warm", "--out", out, "--label", label, "--settle", "4000", "--browser", process.env.CHROMIUM ?? "/usr/bin/chromium"];
  await promisify(execFile)(process.execPath, asked, { maxBuffer: 1 << 26 }).catch((error) => console.error(`${label}: ${error.message.split("\n")[0]}`));
  const { cold, warm } = JSON.parse(await readFile(join(out, `${label}.json`), "utf8"));
  const of = (films) => ({
    first_pixel_ms: median(films.map((one) => one.firstPixelMs)), final_ms: median(films.map((one) => one.fullMs)), network_ms: median(films.map((one) => one.netDoneMs)),
    wire_bytes: median(films.map((one) => one.wireBytesDown)), marks: Object.fromEntries(["cover", "first-pixel", "fit-resolution", "full-resolution"].map((name) => [name, median(films.map((one) => one.marks[`tsunagu:${name}`]).filter(Number.isFinite))])),
    errors: films.flatMap(({ errors }) => errors).slice(0, 3),
  });
  return { cold: of(cold), warm: of(warm) };
}

// In one browser, without a slow link: bytes before the first pixel, then a stack that is here in full scrolled from end to end.
async function scroll(site, { study, count }) {
  const browser = await need("playwright-core").chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  const page = await browser.newPage({ viewport: { width: 1280, height: 1024 } });
  await page.goto(`${site}/enter?study=${study}`);
  await page.waitForFunction(() => performance.getEntriesByName("tsunagu:first-pixel").length, null, { timeout: 60_000 });
  const before = await page.evaluate(() => {
    const first = performance.getEntriesByName("tsunagu:first-pixel")[0].startTime;
    const had = performance.getEntriesByType("resource").filter(({ responseEnd }) => responseEnd <= first);
    const code = had.filter(({ name }) => name.includes("/viewer/"));
    const sum = (entries) => entries.reduce((bytes, { encodedBodySize }) => bytes + encodedBodySize, 0);
    return { requests: had.length, bytes: sum(had), code_requests: code.length, code_bytes: sum(code) };
  });
  // Loaded: no request has ended for two seconds.
  let [ended, since] = [0, Date.now()];
  page.on("requestfinished", () => { ended++; since = Date.now(); });
  for (const begun = Date.now(); Date.now() - since < 2000 && Date.now() - begun < LOADED_MS_MAX;) await page.waitForTimeout(250);
  await page.locator("canvas").first().focus().catch(() => {});
  await page.keyboard.press("Home");
  await page.waitForTimeout(1000);
  const waits = await page.evaluate(async ([count, each_ms]) => {
    performance.clearMarks("tsunagu:slice");
    for (let at = 1; at < count; at++) {
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true, cancelable: true }));
      await new Promise((go) => setTimeout(go, each_ms));
    }
    await new Promise((go) => setTimeout(go, 500));
    return performance.getEntriesByName("tsunagu:slice").map(({ detail }) => detail.wait_ms);
  }, [count, 1000 / SLICES_PER_SECOND]);
  const heap_bytes = await page.evaluate(() => performance.memory.usedJSHeapSize);
  await page.screenshot({ path: join(out, "scrolled.png") });
  await browser.close();
  waits.sort((a, b) => a - b);
  return { before, requests_until_loaded: ended, asked: count - 1, painted: waits.length, wait_ms_median: median(waits), wait_ms_p95: waits[Math.floor(waits.length * 0.95)], wait_ms_max: waits.at(-1), heap_bytes };
}

await mkdir(out, { recursive: true });
const built = await mkdtemp(join(tmpdir(), "viewer-"));
await need("esbuild").build({
  entryPoints: { page: join(here, "cornerstone.js"), decodeImageFrameWorker: join(packages, "@cornerstonejs/dicom-image-loader/dist/esm/decodeImageFrameWorker.js") },
  bundle: true, minify: true, format: "esm", target: "es2022", outdir: built, nodePaths: [packages], logLevel: "error",
  external: ["fs", "path", "module", "crypto"], alias: { xmlbuilder2: join(packages, "xmlbuilder2/lib/xmlbuilder2.min.js") },
});
const site = await serve({ archive, token, folders: [built, join(packages, "@cornerstonejs/codec-openjph/dist")] });
const result = { mammogram: await largest("MG"), ct: await largest("CT") };
if (TTFP && existsSync(TTFP)) {
  result.mammogram.ours = await film("mammogram", `${site.url}/enter?study=${result.mammogram.study}`);
  result.mammogram.peer = await film("mammogram-cornerstone", `${site.url}/enter-peer#${result.mammogram.frame}`);
  result.mammogram.ratio = result.mammogram.ours.cold.first_pixel_ms / result.mammogram.peer.cold.first_pixel_ms;
  result.ct.ours = await film("ct", `${site.url}/enter?study=${result.ct.study}`);
} else console.error("skipped: TTFP names no ttfp.mjs, nothing is filmed");
result.ct.scroll = await scroll(site.url, result.ct);
site.close();
await rm(built, { recursive: true, force: true });
console.log(JSON.stringify(result));
