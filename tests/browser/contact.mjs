// A contact sheet of an archive: opens every series of every study in the viewer, as a reader would from the strip, and of series with few
// instances each one; records whether a picture, a trace or a document is shown, or what the page says instead. One sheet of all, to be looked at.
//
//   PLAYWRIGHT_DIR=DIR node tests/browser/contact.mjs BASE_URL TOKEN OUT_DIR [STUDIES_MAX]
//
// A view without contrast is compared with what the server renders of the same frame: an even picture is one that is even there too.
//
// OUT_DIR gets contact-N.png and table.tsv (no names, no IDs but UIDs). The last line is one JSON object `{ok, checks, counts}`: ok if everything
// is shown or explained by a sentence, and nothing was logged as an error but the refusals of the server that a sentence explains.

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [base, token, out, most = "10000"] = process.argv.slice(2);
if (!base || !token || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node contact.mjs BASE_URL TOKEN OUT_DIR [STUDIES_MAX]");
  process.exit(2);
}
const FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-first-run"];
const WAIT_MS = 12_000;
/** Of series with no more instances than this each one is looked at, else the one that is shown first. */
const INSTANCES_MAX = 4;
/** Standard deviation of greys below which a view is called flat. */
const FLAT = 2;
const PER_SHEET = 60;
const { chromium } = createRequire(join(process.env.PLAYWRIGHT_DIR, "/"))("playwright-core");
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, handleSIGTERM: false });
const page = await browser.newPage({ viewport: { width: 1100, height: 800 }, locale: "ja-JP" });
// Thumbnails are made in a browser of their own: a page behind another one is drawn late or never.
const other = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"], handleSIGTERM: false });
const desk = await other.newPage({ viewport: { width: 1800, height: 1200 } });
desk.setDefaultTimeout(120_000);
const complaints = [];
// Interrupted, it makes the sheet of what was seen so far.
let stopped = false;
process.on("SIGTERM", () => { stopped = true; });
page.on("pageerror", (error) => complaints.push(String(error)));
// A frame that the file has not, or that the server refuses, is told in the page, and counted as explained there.
const REFUSED = /^Failed to load resource: .* status of 40[46] .*\/frames\//;
const logged = (message) => `${message.text()} ${message.location().url.replace(/\?.*/, "")}`;
page.on("console", (message) => message.type() === "error" && !REFUSED.test(logged(message)) && complaints.push(logged(message)));

await page.goto(`${base}/`);
const signedIn = await page.evaluate(async (token) => (await fetch("/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) })).status, token);
if (signedIn !== 204) throw new Error(`POST /session is answered ${signedIn}`);
complaints.length = 0;
const studies = await page.evaluate(async (limit) => (await (await fetch(`/dicom-web/studies?limit=${limit}`, { headers: { Accept: "application/dicom+json" } })).json()).map((row) => row["0020000D"].Value[0]), Number(most));
const shown = [];

// What the page shows now: its kind, and what it says where it shows nothing.
const state = () => page.evaluate(() => {
  const seen = (element) => element && !element.hidden && element.offsetParent !== null;
  const pane = [...document.querySelectorAll(".pane")].find(seen);
  const texts = [...document.querySelectorAll(".problem, .notice.failed")].filter(seen).map((one) => one.innerText.trim()).filter(Boolean);
  const drawn = pane?.querySelector(".cell.active canvas, .cell canvas, canvas, svg, iframe, embed, object, article, table, dl");
  return { kind: pane?.dataset.kind ?? "", says: texts.join(" / "), text: pane?.innerText.trim().length ?? 0, drawn: drawn?.tagName.toLowerCase() ?? "", loading: Boolean(pane?.querySelector(":scope > .quiet")) };
});

// A thumbnail of what is shown, and how much its greys differ.
async function look() {
  const pane = page.locator(".reading .pane:visible").first();
  const view = (await page.locator(".cell.active:visible").count()) ? page.locator(".cell.active:visible").first() : pane;
  return measured((await view.screenshot()).toString("base64"));
}

function measured(png) {
  return desk.evaluate(async (png) => {
    const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const canvas = new OffscreenCanvas(290, 210);
    const context = canvas.getContext("2d");
    const scale = Math.min(290 / picture.width, 210 / picture.height);
    context.drawImage(picture, 0, 0, picture.width * scale, picture.height * scale);
    // The middle half: what is written in the corners is not the picture.
    const probe = new OffscreenCanvas(96, 96).getContext("2d");
    probe.drawImage(picture, picture.width * 0.2, picture.height * 0.2, picture.width * 0.6, picture.height * 0.6, 0, 0, 96, 96);
    const { data } = probe.getImageData(0, 0, 96, 96);
    const greys = Array.from({ length: 96 * 96 }, (_, at) => (data[4 * at] + data[4 * at + 1] + data[4 * at + 2]) / 3);
    const mean = greys.reduce((sum, grey) => sum + grey, 0) / greys.length;
    const deviation = Math.sqrt(greys.reduce((sum, grey) => sum + (grey - mean) ** 2, 0) / greys.length);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/webp", quality: 0.8 })).arrayBuffer());
    return { deviation, thumbnail: `data:image/webp;base64,${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}` };
  }, png);
}

// How much the greys of the frame in the active view differ as the server renders it, by the SOP instance that the header names.
async function rendered() {
  await page.keyboard.press("Shift+H");
  await page.locator(".header-words").fill("SOPInstanceUID");
  const instance = await page.locator(".header-dialog tbody .header-value").first().innerText();
  await page.locator(".header-dialog header button").click();
  const frame = Number(/(?:フレーム|コマ)\s*(\d+)/.exec(await page.locator(".cell.active").innerText())?.[1] ?? 1);
  const png = await page.evaluate(async ([instance, frame]) => {
    const [found] = await (await fetch(`/dicom-web/instances?SOPInstanceUID=${instance}`, { headers: { Accept: "application/dicom+json" } })).json();
    const response = await fetch(`${found["00081190"].Value[0]}/frames/${frame}/rendered`, { headers: { Accept: "image/png" } });
    if (!response.ok) return null;
    return btoa(Array.from(new Uint8Array(await response.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
  }, [instance, frame]);
  return png ? (await measured(png)).deviation : Infinity;
}

async function record(what) {
  const begun = Date.now();
  let [now, seen] = [null, null];
  while (Date.now() - begun < WAIT_MS) {
    await page.waitForTimeout(250);
    now = await state();
    if (now.loading && !now.says) continue;
    seen = await look();
    const isDrawn = now.kind === "image" || now.kind === "ecg" ? seen.deviation > FLAT : now.text > 0 || now.drawn;
    if (now.says || isDrawn) break;
  }
  seen ??= await look();
  // Let better pixels come: the sheet is for looking at.
  if (now?.kind === "image" && !now.says) { await page.waitForTimeout(500); seen = await look(); }
  let outcome = now?.says ? "explained" : now?.kind === "image" || now?.kind === "ecg" ? (seen.deviation > FLAT ? "shown" : "flat") : now?.text ? "shown" : "empty";
  if (outcome === "flat" && now.kind === "image" && (await rendered()) <= FLAT) outcome = "even";
  shown.push({ ...what, kind: now?.kind ?? "", outcome, says: now?.says ?? "", ms: Date.now() - begun, ...seen });
}

for (const [at, study] of studies.entries()) {
  if (stopped) break;
  try {
    await page.goto(`${base}/#/study/${study}`);
    await page.waitForSelector(".card, .problem", { timeout: WAIT_MS });
    const cards = await page.locator(".card").count();
    if (!cards) await record({ study, series: "", label: "" });
    for (let card = 0; card < cards && !stopped; card++) {
      const one = page.locator(".card").nth(card);
      const label = (await one.innerText()).replaceAll(/\s+/g, " ");
      await one.click();
      await record({ study, card, label });
      const tabs = await page.locator(".tabs [role=tab]").count();
      for (let tab = 1; tab < Math.min(tabs, INSTANCES_MAX); tab++) {
        await page.locator(".tabs [role=tab]").nth(tab).click();
        await record({ study, card, label: `${label} #${tab + 1}` });
      }
      const images = Number(/(\d+)\s*(?:枚|画像|images?)/.exec(label)?.[1] ?? 1);
      for (let image = 1; images <= INSTANCES_MAX && image < images && shown.at(-1).kind === "image"; image++) {
        await page.keyboard.press("ArrowDown");
        await record({ study, card, label: `${label} #${image + 1}` });
      }
    }
  } catch (error) {
    shown.push({ study, label: "", kind: "", outcome: "broken", says: String(error.message).split("\n")[0], ms: 0, thumbnail: "" });
  }
  console.error(`${at + 1}/${studies.length} ${shown.at(-1)?.outcome} ${shown.at(-1)?.says.slice(0, 160)}`);
}

await desk.setContent("<style>body{margin:8px;background:#222;color:#ddd;font:11px sans-serif;display:grid;grid-template-columns:repeat(6,290px);gap:8px}figure{margin:0}img{width:290px;height:210px;object-fit:contain;background:#000}figcaption{height:40px;overflow:hidden}.flat,.empty,.broken{outline:2px solid #f44}.explained{outline:2px solid #fa0}</style>");
for (let sheet = 0; sheet * PER_SHEET < shown.length; sheet++) {
  await desk.evaluate((rows) => {
    document.body.replaceChildren(...rows.map(({ number, label, outcome, says, thumbnail }) => {
      const figure = document.createElement("figure");
      figure.className = outcome;
      const image = figure.appendChild(document.createElement("img"));
      image.src = thumbnail ?? "";
      figure.appendChild(document.createElement("figcaption")).textContent = `${number} ${outcome} ${label} ${says}`;
      return figure;
    }));
    return Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  }, shown.slice(sheet * PER_SHEET, (sheet + 1) * PER_SHEET).map((row, at) => ({ ...row, number: sheet * PER_SHEET + at + 1 })));
  await desk.screenshot({ path: join(out, `contact-${sheet + 1}.png`), fullPage: true });
}
writeFileSync(join(out, "table.tsv"), ["number\tstudy\tcard\tlabel\tkind\toutcome\tms\tdeviation\tsays",
  ...shown.map(({ study, card, label, kind, outcome, ms, deviation, says }, at) => [at + 1, study, card, label, kind, outcome, ms, deviation?.toFixed(1), says.replaceAll(/\s+/g, " ")].join("\t"))].join("\n"));
await Promise.all([browser.close(), other.close()]);
const counts = Object.fromEntries(["shown", "even", "explained", "flat", "empty", "broken"].map((name) => [name, shown.filter(({ outcome }) => outcome === name).length]));
const checks = {
  every_study: studies.length > 0 || "there are no studies",
  shown_or_explained: counts.flat + counts.empty + counts.broken === 0 || `${counts.flat} flat, ${counts.empty} empty, ${counts.broken} broken: see table.tsv`,
  no_complaints: complaints.length === 0 || complaints.slice(0, 5).join("; "),
};
console.log(JSON.stringify({ ok: Object.values(checks).every((one) => one === true), checks, counts }));
