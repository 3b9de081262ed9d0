// Drives the viewer in a real browser against a running server: sign in, list, search 山田, open a CT, scroll, window, open an ECG.
//
//   PLAYWRIGHT_DIR=/where/npm/put/playwright-core node tests/browser/smoke.mjs BASE_URL SIGN_IN_LINK OUT_DIR
//
// CHROMIUM names the browser (default /usr/bin/chromium). Screenshots go to OUT_DIR; the last line is one JSON object
// `{ok, checks: {name: true | "what was wrong"}, console_errors, milliseconds}`. Exit code 0 only if all is well.

import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [base, signInLink, out] = process.argv.slice(2);
if (!base || !signInLink || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node smoke.mjs BASE_URL SIGN_IN_LINK OUT_DIR");
  process.exit(2);
}
const require = createRequire(join(process.env.PLAYWRIGHT_DIR, "/"));
const { chromium } = require("playwright-core");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WAIT_MS = 30_000;
const checks = {};
const consoleErrors = [];
const foreign = new Set();
const milliseconds = {};

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: "ja-JP" });
page.setDefaultTimeout(WAIT_MS);
page.on("console", (message) => { if (message.type() === "error") consoleErrors.push(`${message.text()} ${message.location().url}`); });
page.on("pageerror", (error) => consoleErrors.push(String(error)));
page.on("request", (request) => {
  const url = new URL(request.url());
  if (url.protocol.startsWith("http") && url.origin !== new URL(base).origin) foreign.add(url.origin);
});

async function check(name, action) {
  const begin = performance.now();
  try {
    const wrong = await action();
    checks[name] = wrong ? String(wrong) : true;
  } catch (error) {
    checks[name] = String(error.message ?? error).split("\n")[0];
  }
  milliseconds[name] = Math.round(performance.now() - begin);
  await page.screenshot({ path: join(out, `${name}.png`) }).catch(() => {});
}

// Number of different colours on a canvas, over a coarse raster: 1 means blank.
function colours(selector) {
  return page.locator(selector).evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let at = 0; at + 2 < data.length; at += 4 * 61) seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    return seen.size;
  });
}

async function untilDrawn(selector, least) {
  const deadline = performance.now() + WAIT_MS;
  while (performance.now() < deadline) {
    if ((await page.locator(selector).count()) && (await colours(selector)) >= least) return "";
    await page.waitForTimeout(100);
  }
  return `${selector} stays blank`;
}

const rows = () => page.locator("table.studies tbody tr[data-address]");

async function searchAndWait(act) {
  await Promise.all([page.waitForResponse((response) => response.url().includes("/dicom-web/studies?")), act()]);
  await page.waitForTimeout(300);
}

// Opens the study of `modality` with the most images.
async function openLargest(modality) {
  await page.goto(`${base}/#/studies`);
  await rows().first().waitFor();
  await page.getByRole("button", { name: "条件を消す" }).click();
  await searchAndWait(() => page.locator(".search select").selectOption(modality));
  const counts = (await rows().locator("td:last-child").allInnerTexts()).map((line) => Number(line.split("/").at(-1)));
  await rows().nth(counts.indexOf(Math.max(...counts))).click();
}

await check("list", async () => {
  await page.goto(new URL(signInLink, base).href);
  await page.goto(`${base}/#/studies`);
  await rows().first().waitFor();
  return (await rows().count()) > 0 ? "" : "the list is empty";
});

await check("search", async () => {
  await searchAndWait(() => page.locator(".search input.words").fill("山田"));
  const names = await rows().locator("th").allInnerTexts();
  if (!names.length) return "山田 finds nobody";
  return page.url().includes("山田") || decodeURIComponent(page.url()).includes("山田") ? "a name is in the page address" : "";
});

await check("ct", async () => {
  await openLargest("CT");
  // The series with the most images, which is the one to scroll.
  await page.locator(".card").first().waitFor();
  const counts = (await page.locator(".card .faint").allInnerTexts()).map((line) => Number(/(\d+)\s*枚/.exec(line)?.[1] ?? 0));
  await page.locator(".card").nth(counts.indexOf(Math.max(...counts))).click();
  return untilDrawn("canvas.picture", 8);
});

const place = () => page.locator(".bar").getAttribute("aria-valuenow");

await check("scroll", async () => {
  const before = await place();
  await page.locator("canvas.picture").hover();
  for (let notch = 0; notch < 3; notch++) await page.mouse.wheel(0, 120);
  await page.waitForTimeout(300);
  if ((await place()) === before) return `still at ${before}`;
  return untilDrawn("canvas.picture", 8);
});

await check("window", async () => {
  const shown = () => page.locator(".corner.bottom.right").innerText();
  const before = await shown();
  const box = await page.locator("canvas.picture").boundingBox();
  const drag = async () => {
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 90, box.y + box.height / 2 + 20, { steps: 10 });
    await page.mouse.up();
  };
  await Promise.all([page.waitForResponse((response) => response.url().includes("window=") && response.ok()), drag()]);
  await page.waitForTimeout(300);
  if ((await shown()) === before) return `the window stays ${before}`;
  return untilDrawn("canvas.picture", 8);
});

await check("ecg", async () => {
  await openLargest("ECG");
  const blank = await untilDrawn("canvas.paper", 4);
  if (blank) return blank;
  // The trace is the only near-black on the paper.
  const dark = await page.locator("canvas.paper").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at] < 64 && data[at + 1] < 64 && data[at + 2] < 64) count++;
    return count;
  });
  return dark > 2000 ? "" : `only ${dark} dark pixels on the paper`;
});

await check("english", async () => {
  await page.locator(".settings select").first().selectOption("en");
  await page.getByText("Filters: off").waitFor();
  return "";
});

const stored = await page.evaluate(() => Object.keys(localStorage));
checks.storage = stored.every((key) => ["tsunagu.language", "tsunagu.theme", "tsunagu.ecgPixelsPerMm"].includes(key)) || `kept in the browser: ${stored}`;
checks.same_origin = foreign.size === 0 || `asked elsewhere: ${[...foreign]}`;
checks.console = consoleErrors.length === 0 || consoleErrors[0];
await browser.close();
const ok = Object.values(checks).every((result) => result === true);
console.log(JSON.stringify({ ok, checks, console_errors: consoleErrors.length, milliseconds }));
process.exit(ok ? 0 : 1);
