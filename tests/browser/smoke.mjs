// Drives the viewer in a real browser against a running server that holds at least one study of each kind of `tsunagu demo`:
// signs in, lists, searches in three scripts, and opens every kind: does a picture appear, is it what a reader would expect,
// do window, zoom, pan, cine and the ECG's millimetres do what they say.
//
//   PLAYWRIGHT_DIR=/where/npm/put/playwright-core node tests/browser/smoke.mjs BASE_URL SIGN_IN OUT_DIR
//
// SIGN_IN is a one-time link or a token. CHROMIUM names the browser (default /usr/bin/chromium). Screenshots go to OUT_DIR; the
// last line is one JSON object `{ok, checks: {name: true | "what was wrong"}, console_errors, milliseconds}`. Exit code 0 only if
// all is well.

import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [base, signIn, out] = process.argv.slice(2);
if (!base || !signIn || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node smoke.mjs BASE_URL SIGN_IN_LINK_OR_TOKEN OUT_DIR");
  process.exit(2);
}
const require = createRequire(join(process.env.PLAYWRIGHT_DIR, "/"));
const { chromium } = require("playwright-core");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WAIT_MS = 20_000;
const checks = {};
const consoleErrors = [];
const foreign = new Set();
const milliseconds = {};
let signedIn = false;

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: "ja-JP" });
page.setDefaultTimeout(WAIT_MS);
page.on("console", (message) => {
  // Before signing in, 401 is the right answer, and browsers report it.
  if (message.type() === "error" && (signedIn || !message.text().includes("401"))) consoleErrors.push(`${message.text()} ${message.location().url}`);
});
page.on("pageerror", (error) => consoleErrors.push(String(error)));
page.on("request", (request) => {
  const url = new URL(request.url());
  if (url.protocol.startsWith("http") && url.origin !== new URL(base).origin) foreign.add(url.origin);
});

// `action` answers what is wrong, or nothing. A check may not take the others down with it.
async function check(name, action) {
  const begin = performance.now();
  try {
    const wrong = await action();
    checks[name] = wrong ? String(wrong) : true;
  } catch (error) {
    checks[name] = String(error.message ?? error).split("\n")[0];
  }
  milliseconds[name] = Math.round(performance.now() - begin);
  console.error(`${name}: ${checks[name] === true ? "ok" : checks[name]} (${milliseconds[name]} ms)`);
  await page.screenshot({ path: join(out, `${name}.png`) }).catch(() => {});
}

async function until(what, test, deadline_ms = WAIT_MS) {
  const deadline = performance.now() + deadline_ms;
  while (performance.now() < deadline) {
    if (await test()) return "";
    await page.waitForTimeout(60);
  }
  return what;
}

// What is on the screen of a canvas: `levels`, the number of different colours over a coarse raster; `mean` grey; `colourful`, the
// share of pixels whose red, green and blue lie apart; `corners`, the mean grey of the picture's four corners.
function look(selector = ".cell.active canvas.picture") {
  return page.locator(selector).first().evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    let [sum, colourful, count] = [0, 0, 0];
    for (let at = 0; at + 2 < data.length; at += 4 * 61, count++) {
      const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
      seen.add((red << 16) | (green << 8) | blue);
      sum += (red + green + blue) / 3;
      if (Math.max(red, green, blue) - Math.min(red, green, blue) > 24) colourful++;
    }
    return { levels: seen.size, mean: sum / count, colourful: colourful / count };
  });
}

// The picture is here in full: nothing is on its way any more, nothing failed, and it is not blank.
async function untilDrawn(least = 8) {
  const notice = page.locator(".cell.active .notice");
  const blank = await until("the picture does not come", async () => {
    if (!(await page.locator(".cell.active canvas.picture").count())) return false;
    const text = `${await notice.innerText()} ${await page.locator(".cell.active .overlay").innerText().catch(() => "受信中")}`;
    return text.includes("表示できません") || (/可逆|サーバー描画/.test(text) && !/読み込み中|受信中/.test(text) && (await look()).levels >= least);
  });
  const said = await notice.innerText().catch(() => "");
  return said.includes("表示できません") ? said.replaceAll("\n", " ") : blank;
}

const rows = () => page.locator("table.studies tbody tr[data-address]");
const overlay = (place) => page.locator(`.cell.active .corner.${place}`).innerText();

async function searchAndWait(act) {
  await Promise.all([page.waitForResponse((response) => response.url() === `${base}/search`), act()]);
  await page.waitForTimeout(300);
}

async function toList() {
  await page.goto(`${base}/#/studies`);
  await page.getByRole("button", { name: "条件を消す" }).click();
  await rows().first().waitFor();
  await page.waitForTimeout(300);
}

// Opens the study of `modality` with the most images, one of nothing but `modality` where there is one.
async function openStudy(modality) {
  await toList();
  await searchAndWait(() => page.locator(".search select").selectOption(modality));
  const found = await rows().evaluateAll((list) => list.map((row) => ({
    modalities: row.querySelectorAll(".modality").length, images: Number(row.querySelector(".c-images").innerText.replaceAll(",", "")),
  })));
  if (!found.length) throw new Error(`there is no ${modality} study`);
  const best = found.map((row, at) => ({ ...row, at })).sort((a, b) => a.modalities - b.modalities || b.images - a.images)[0];
  await rows().nth(best.at).click();
  await page.locator(".card").first().waitFor();
}

const cards = (modality) => page.locator(".card").filter({ has: page.locator(".faint", { hasText: modality }) });

// The series of `modality` with the most images.
async function openSeries(modality) {
  const counts = (await cards(modality).locator(".faint").allInnerTexts()).map((line) => Number(/(\d+)\s*枚/.exec(line)?.[1] ?? 0));
  await cards(modality).nth(counts.indexOf(Math.max(...counts))).click();
}

async function thumbnails() {
  const wanted = await page.locator(".card").count();
  const loaded = () => page.locator(".card .thumb img").evaluateAll((images) => images.filter((image) => image.naturalWidth > 1).length);
  return until(`of ${wanted} series, ${await loaded()} have a thumbnail`, async () => (await loaded()) === wanted, 10_000);
}

// Every series of a study of `modality` in turn: each must show a picture; `judge` looks at each.
async function openAll(modality, judge = async () => "") {
  await openStudy(modality);
  const count = await page.locator(".card").count();
  for (let at = 0; at < count; at++) {
    await page.locator(".card").nth(at).click();
    const wrong = (await untilDrawn()) || (await judge(await look()));
    if (wrong) return `series ${at + 1}: ${wrong}`;
  }
  return thumbnails();
}

const grey = async ({ colourful }) => (colourful < 0.01 ? "" : `a grey image has ${Math.round(colourful * 100)} % coloured pixels`);
const coloured = async ({ colourful }) => (colourful > 0.05 ? "" : "a colour image shows no colours");

async function drag(dx, dy, { shift = false } = {}) {
  const box = await page.locator(".cell.active canvas.picture").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  if (shift) await page.keyboard.down("Shift");
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + dx, y + dy, { steps: 8 });
  await page.mouse.up();
  if (shift) await page.keyboard.up("Shift");
  await page.waitForTimeout(300);
}

async function shownWindow() {
  const [, width, center] = /W (-?[\d.]+)\s+C (-?[\d.]+)/.exec(await overlay("bottom.right")) ?? [];
  return { width: Number(width), center: Number(center) };
}

await check("list", async () => {
  if (signIn.includes("/sign-in")) {
    await page.goto(new URL(signIn, base).href);
    const again = await page.request.get(new URL(signIn, base).href, { maxRedirects: 0 });
    if (again.ok() || again.status() < 400) return `the one-time link is taken twice (${again.status()})`;
  } else {
    await page.goto(`${base}/`);
    await page.locator("#token").fill("no such token");
    await page.locator("form.sign-in button").click();
    await page.getByText("このトークンでは入れません").waitFor();
    await page.locator("#token").fill(signIn);
    await page.locator("form.sign-in button").click();
  }
  signedIn = true;
  await rows().first().waitFor();
  const names = (await rows().locator("th .name").allInnerTexts()).join("");
  return /[一-龠]/.test(names) ? "" : "no name in kanji is in the list";
});

// One person found by kanji, katakana, hiragana and Latin letters; which person, the archive says.
await check("search", async () => {
  const people = await page.evaluate(async () => {
    const response = await fetch("/dicom-web/studies?limit=500", { headers: { Accept: "application/dicom+json" } });
    return (await response.json()).map((row) => row["00100010"]?.Value?.[0] ?? {});
  });
  const known = people.filter(({ Ideographic, Phonetic, Alphabetic }) => Ideographic && Phonetic && /^[A-Za-z]/.test(Alphabetic ?? ""));
  const family = (known.find(({ Ideographic }) => Ideographic.startsWith("山田")) ?? known[0]);
  if (!family) return "nobody has a name in three scripts";
  const [kanji, kana, romaji] = [family.Ideographic, family.Phonetic, family.Alphabetic].map((name) => name.split("^")[0]);
  const katakana = kana.replace(/[ぁ-ゖ]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 0x60));
  const found = {};
  for (const words of [kanji, katakana, kana, romaji.toLowerCase()]) {
    await toList();
    await searchAndWait(() => page.locator(".search input.words").fill(words));
    const names = await rows().locator("th").allInnerTexts();
    found[words] = names.filter((name) => name.includes(kanji)).length;
    const strangers = names.filter((name) => !name.includes(kanji) && !name.toLowerCase().includes(romaji.toLowerCase()));
    if (strangers.length) return `${words} finds ${strangers[0]}`;
    if (decodeURIComponent(page.url()).includes(words)) return "a name is in the page address";
  }
  const counts = Object.values(found);
  return counts[0] > 0 && counts.every((count) => count === counts[0]) ? "" : `found ${JSON.stringify(found)}`;
});

await check("ct", async () => {
  await openStudy("CT");
  await openSeries("CT");
  return (await untilDrawn()) || (await grey(await look())) || thumbnails();
});

const place = async () => Number(await page.locator(".cell.active .bar").getAttribute("aria-valuenow"));

await check("scroll", async () => {
  const [opened, total] = [await place(), Number(await page.locator(".cell.active .bar").getAttribute("aria-valuemax"))];
  await page.locator(".cell.active canvas.picture").hover();
  const after = async (key) => { await page.locator(".cell.active canvas.picture").press(key); return place(); };
  if ((await after("Home")) !== 1) return `Home leads to ${await place()}`;
  for (let notch = 0; notch < 3; notch++) await page.mouse.wheel(0, 120);
  await page.waitForTimeout(300);
  if ((await place()) !== 4) return `three notches lead from 1 to ${await place()}`;
  if ((await after("ArrowUp")) !== 3) return `arrow up leads to ${await place()}`;
  if ((await after("End")) !== total) return `End leads to ${await place()} of ${total}`;
  while ((await place()) > opened) await after("ArrowUp");
  return untilDrawn();
});

await check("window", async () => {
  const first = await shownWindow();
  const bright = (await look()).mean;
  await drag(80, 0);
  const wide = await shownWindow();
  if (!(wide.width > first.width && wide.center === first.center)) return `a drag to the right makes W ${first.width} to ${wide.width}`;
  await drag(-80, 0);
  const narrow = await shownWindow();
  if (!(narrow.width < wide.width)) return `a drag to the left makes W ${wide.width} to ${narrow.width}`;
  await drag(0, 80);
  await untilDrawn();
  const higher = await shownWindow();
  if (!(higher.center > narrow.center)) return `a drag down makes C ${narrow.center} to ${higher.center}`;
  const dark = (await look()).mean;
  if (!(dark < bright)) return `a higher centre makes the mean grey ${bright} to ${dark}`;
  await drag(0, -160);
  await untilDrawn();
  const lower = await shownWindow();
  const light = (await look()).mean;
  return lower.center < higher.center && light > dark ? "" : `a drag up makes C ${higher.center} to ${lower.center}, the mean grey ${dark} to ${light}`;
});

await check("presets", async () => {
  const box = page.locator(".tools select").first();
  const means = {};
  for (const [preset, center, width] of [["roomLung", -600, 1500], ["roomMediastinum", 40, 400], ["roomBone", 400, 2000]]) {
    await box.selectOption(preset);
    const wrong = await untilDrawn(4);
    const shown = await shownWindow();
    if (wrong || shown.center !== center || shown.width !== width) return wrong || `${preset} shows W ${shown.width} C ${shown.center}`;
    means[preset] = (await look()).mean;
  }
  if (!(means.roomLung > means.roomBone)) return `the lung window is darker than the bone window: ${JSON.stringify(means)}`;
  await page.keyboard.press("r");
  await page.waitForTimeout(200);
  return untilDrawn();
});

await check("invert", async () => {
  const before = (await look()).mean;
  await page.locator(".cell.active canvas.picture").focus();
  await page.keyboard.press("i");
  await page.waitForTimeout(300);
  const after = (await look()).mean;
  await page.keyboard.press("i");
  return after > before + 5 ? "" : `the mean grey goes from ${before} to ${after}`;
});

await check("zoom_and_pan", async () => {
  const percent = async () => Number(/(\d+)%/.exec(await overlay("bottom.left"))?.[1]);
  const pixels = () => page.locator(".cell.active canvas.picture").evaluate((canvas) => canvas.toDataURL().length + canvas.toDataURL().slice(-400));
  const before = await percent();
  await page.locator(".cell.active canvas.picture").hover();
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -240);
  await page.keyboard.up("Control");
  await page.waitForTimeout(300);
  if (!((await percent()) > before)) return `Ctrl and wheel leave ${before} %`;
  const still = await pixels();
  await drag(120, 60, { shift: true });
  if ((await pixels()) === still) return "Shift and drag move nothing";
  await page.keyboard.press("r");
  await page.waitForTimeout(300);
  return (await percent()) === before ? "" : `reset leads to ${await percent()} %, not ${before} %`;
});

// A breast fills a part of the picture; around it there is air, which is black. A MONOCHROME1 image shown the wrong way round is not.
const airIsBlack = async (seen) => (await grey(seen)) || (seen.mean < 110 ? "" : `the mean grey is ${Math.round(seen.mean)}: black and white exchanged?`);

await check("mg", () => openAll("MG", airIsBlack));
await check("chest", async () => {
  const counted = await page.evaluate(async () => (await (await fetch("/dicom-web/studies?ModalitiesInStudy=CR&limit=1", { headers: { Accept: "application/dicom+json" } })).text()).length);
  return (await openAll("DX", grey)) || (counted > 2 ? openAll("CR", grey) : "");
});
await check("rf", () => openAll("RF", grey));
await check("mr", () => openAll("MR", grey));
await check("us", async () => {
  await openStudy("US");
  return untilDrawn();
});
await check("pt", async () => {
  await openStudy("PT");
  await openSeries("PT");
  return (await untilDrawn()) || (await grey(await look()));
});
await check("es", () => openAll("ES", coloured));
await check("op", () => openAll("OP", coloured));

// A cine: some US study has frames to play; playing moves on, and each frame is drawn.
await check("cine", async () => {
  await toList();
  await searchAndWait(() => page.locator(".search select").selectOption("US"));
  const addresses = await rows().evaluateAll((list) => list.map((row) => row.dataset.address));
  for (const address of addresses) {
    await page.goto(`${base}/${address}`);
    await page.locator(".card").first().waitFor();
    for (let at = 0; at < (await page.locator(".card").count()); at++) {
      await page.locator(".card").nth(at).click();
      const wrong = await untilDrawn();
      if (wrong) return wrong;
      for (let image = 0; image < 60 && !(await overlay("bottom.left")).includes("フレーム"); image++) {
        const before = await place();
        await page.locator(".cell.active canvas.picture").press("ArrowDown");
        if ((await place()) === before) break;
      }
      if (!(await overlay("bottom.left")).includes("フレーム")) continue;
      const frame = async () => /フレーム (\d+)/.exec(await overlay("bottom.left"))?.[1];
      const before = await frame();
      await page.getByRole("button", { name: "再生" }).click();
      const still = await until(`the cine stands still at frame ${before}`, async () => (await frame()) !== before, 10_000);
      await page.waitForTimeout(1000);
      await page.getByRole("button", { name: "停止" }).click();
      return still || untilDrawn();
    }
  }
  return "no US study has a cine";
});

await check("ecg", async () => {
  await openStudy("ECG");
  const blank = await until("the paper stays blank", async () => (await page.locator("canvas.paper").count()) > 0 && (await look("canvas.paper")).levels >= 4);
  if (blank) return blank;
  // The pulse of the first row is the only near-black left of the first lead: 1 mV high, and at half its height 200 ms wide.
  const seen = await page.locator("canvas.paper").first().evaluate((canvas) => {
    const mm = canvas.width / (parseFloat(canvas.style.width) / (96 / 25.4));
    const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const dark = (x, y) => data[4 * (y * width + x)] < 110 && data[4 * (y * width + x) + 1] < 110;
    let [top, bottom, all] = [Infinity, -1, 0];
    for (let y = 0; y < canvas.height; y++) {
      for (let x = 0; x < width; x++) {
        if (!dark(x, y)) continue;
        all++;
        if (x < 13 * mm && y < 30 * mm) [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      }
    }
    const middle = Math.round((top + bottom) / 2);
    const across = Array.from({ length: Math.floor(13 * mm) }, (_, x) => x).filter((x) => dark(x, middle));
    return { all, height_mm: (bottom - top) / mm, width_mm: (across.at(-1) - across[0]) / mm };
  });
  if (seen.all < 2000) return `only ${seen.all} dark pixels on the paper`;
  if (Math.abs(seen.height_mm - 10) > 0.5) return `1 mV is ${seen.height_mm.toFixed(2)} mm high at 10 mm/mV`;
  return Math.abs(seen.width_mm - 5) <= 0.4 ? "" : `200 ms are ${seen.width_mm.toFixed(2)} mm wide at 25 mm/s`;
});

await check("sr", async () => {
  await openStudy("SR");
  await cards("SR").first().click();
  const report = page.locator(".pane[data-kind=report]");
  await report.waitFor();
  let text = "";
  const read = async () => (text = await report.innerText()).length > 60 && /[一-龠ぁ-ん]/.test(text);
  return (await until("nothing", read)) && `the report says ${text.length} characters, none Japanese`;
});

await check("pdf", async () => {
  const series = page.locator(".card");
  for (let at = 0; at < (await series.count()); at++) {
    await series.nth(at).click();
    await page.waitForTimeout(600);
    const open = page.getByRole("button", { name: "PDF を開く" });
    if (!(await open.count())) continue;
    const [answer] = await Promise.all([page.waitForResponse((response) => response.url().includes("/bulkdata/") || response.url().includes("00420011")), open.click()]);
    const bytes = (await answer.body()).subarray(0, 5).toString();
    return bytes === "%PDF-" ? "" : `the document begins with ${JSON.stringify(bytes)}`;
  }
  return "the study has no PDF";
});

await check("download", async () => {
  const menu = page.locator(".pane:visible .menu summary");
  if (await menu.count()) await menu.click();
  const [answer] = await Promise.all([page.context().waitForEvent("download").catch(() => page.waitForEvent("download")), page.locator(".pane a.button:visible").first().click()]).catch((error) => [error]);
  return answer instanceof Error ? String(answer.message).split("\n")[0] : (await answer.failure()) ?? "";
});

await check("phone", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await toList();
  const wide = () => page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  if ((await wide()) > 0) return `the list is ${await wide()} pixels wider than the phone`;
  await page.screenshot({ path: join(out, "phone_list.png") });
  await openStudy("CT");
  const wrong = await untilDrawn();
  if (wrong || (await wide()) > 0) return wrong || `the study is ${await wide()} pixels wider than the phone`;
  const box = await page.locator(".cell.active canvas.picture").boundingBox();
  return box.width > 300 && box.height > 300 ? "" : `the picture is ${box.width} by ${box.height}`;
});

await check("english", async () => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await openStudy("ECG");
  await page.locator(".settings select").first().selectOption("en");
  await page.getByText("Filters: off").waitFor();
  await page.goto(`${base}/#/studies`);
  await rows().first().waitFor();
  const heads = await page.locator("table.studies thead").innerText();
  return heads.includes("Patient") && !/[一-龠]/.test(heads) ? "" : `the list's head says ${heads}`;
});

const stored = await page.evaluate(() => Object.keys(localStorage));
checks.storage = stored.every((key) => ["tsunagu.language", "tsunagu.theme", "tsunagu.ecgPixelsPerMm", "tsunagu.listSeen", "tsunagu.graphics"].includes(key)) || `kept in the browser: ${stored}`;
checks.same_origin = foreign.size === 0 || `asked elsewhere: ${[...foreign]}`;
checks.console = consoleErrors.length === 0 || consoleErrors[0];
await browser.close();
const ok = Object.values(checks).every((result) => result === true);
console.log(JSON.stringify({ ok, checks, console_errors: consoleErrors.length, milliseconds }));
process.exit(ok ? 0 : 1);
