// The ECG page in a real browser: is what is drawn what was recorded, to half a pixel; are millimetres, filters, calipers, priors what they say.
//
//   PLAYWRIGHT_DIR=/where/playwright-core/is node tests/browser/ecg.mjs BASE_URL SIGN_IN OUT_DIR
//
// BASE_URL is a server whose archive holds ECG studies, at least one of a person with two. SIGN_IN is a token. The last line is kit.mjs's report.

import { PLAIN_FLAGS, open } from "./kit.mjs";

const [base, signIn, out] = process.argv.slice(2);
if (!base || !signIn || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node ecg.mjs BASE_URL SIGN_IN OUT_DIR");
  process.exit(2);
}
const kit = await open(out, PLAIN_FLAGS);
const { page, check, until } = kit;
kit.at(base);
const paper = () => page.locator(".ecg-papers canvas.paper").first();
const choose = async (label, value) => { await page.locator(`select[aria-label="${label}"]`).selectOption(value); await page.waitForTimeout(120); };
let studies = [];

async function openStudy(uid) {
  await page.goto(`${base}/#/study/${uid}`);
  await paper().waitFor();
  await until("", async () => (await paper().getAttribute("aria-label"))?.length > 0, 5000);
}

await check("ecg_opens", async () => {
  await page.goto(`${base}/`);
  await page.locator("#token").fill(signIn);
  await page.locator("form.sign-in button").click();
  await page.locator("table").first().waitFor();
  studies = await page.evaluate(async () => {
    const response = await fetch("/dicom-web/studies?ModalitiesInStudy=ECG&limit=50", { headers: { Accept: "application/dicom+json" } });
    return (await response.json()).map((row) => row["0020000D"].Value[0]);
  });
  if (!studies.length) return "there is no ECG";
  await openStudy(studies[0]);
});

// The samples as the archive gives them, decoded here a second time, without the page's modules: `{rate, leads: {name: [mV]}}` of the first group.
const source = (study) => page.evaluate(async (study) => {
  const accept = { headers: { Accept: "application/dicom+json" } };
  const instances = await (await fetch(`/dicom-web/studies/${study}/metadata`, accept)).json();
  const one = instances.find((set) => set["54000100"]);
  const group = one["54000100"].Value[0];
  const first = (set, tag) => set[tag]?.Value?.[0];
  const path = `/dicom-web/studies/${study}/series/${first(one, "0020000E")}/instances/${first(one, "00080018")}/bulkdata/54000100/0/54001010`;
  const bytes = await (await fetch(path, { headers: { Accept: "application/octet-stream" } })).arrayBuffer();
  const channels = group["003A0200"].Value;
  const stored = new Int16Array(bytes);
  const NAMES = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
  const leads = {};
  channels.forEach((channel, at) => {
    const scale = Number(first(channel, "003A0210")) * Number(first(channel, "003A0212") ?? 1);
    const unit = first(first(channel, "003A0211"), "00080100") === "mV" ? 1 : 1e-3;
    const label = `${first(channel, "003A0203") ?? ""} ${first(first(channel, "003A0208"), "00080104") ?? ""}`;
    const name = NAMES.toReversed().find((lead) => new RegExp(`(^|[^A-Za-z0-9])${lead}([^A-Za-z0-9]|$)`).test(label));
    leads[name] = Array.from({ length: Math.floor(stored.length / channels.length) }, (_, sample) => stored[sample * channels.length + at] * scale * unit);
  });
  return { rate: Number(first(group, "003A001A")), leads };
}, study);

// Compares the dark pixels of a cell of the canvas with the polyline through the samples: how far the farthest sample is from a dark pixel,
// and how far the farthest dark pixel is from the polyline, in device pixels.
const compare = (cell) => paper().evaluate((canvas, { values, rate, from_s, seconds, left_mm, middle_mm, speed, gain, half_mm }) => {
  const mm = (canvas.width / Number.parseFloat(canvas.style.width)) * (Number.parseFloat(canvas.dataset.pixelsPerMm));
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  // The red of the paper and of its lines is nearly the same: a pixel below 124 is more than half covered by the trace, wherever it lies; one
  // below 190 a quarter, as the tip of a steep wave is.
  const dark = (x, y, below = 124) => x >= 0 && y >= 0 && x < width && y < height && data[4 * (y * width + x)] < below;
  const points = [];
  for (let at = Math.ceil(from_s * rate); at <= Math.min(values.length - 1, Math.floor((from_s + seconds) * rate)); at++) points.push([(left_mm + (at / rate - from_s) * speed) * mm, (middle_mm - values[at] * gain) * mm]);
  let missed = 0;
  for (const [x, y] of points) {
    if (x < (left_mm + 9) * mm || x > (left_mm + seconds * speed - 0.5) * mm) continue;
    let nearest = Infinity;
    for (let px = Math.floor(x) - 2; px <= x + 2; px++) for (let py = Math.floor(y) - 2; py <= y + 2; py++) if (dark(px, py, 190)) nearest = Math.min(nearest, Math.max(0, Math.hypot(px + 0.5 - x, py + 0.5 - y) - Math.SQRT1_2));
    missed = Math.max(missed, nearest);
  }
  const apart = (x, y, [x1, y1], [x2, y2]) => {
    const part = Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / ((x2 - x1) ** 2 + (y2 - y1) ** 2 || 1)));
    return Math.hypot(x - x1 - part * (x2 - x1), y - y1 - part * (y2 - y1));
  };
  let [strayed, count, begin] = [0, 0, 0];
  for (let px = Math.ceil((left_mm + 9) * mm); px < (left_mm + seconds * speed - 0.5) * mm; px++) {
    while (begin < points.length && points[begin][0] < px - 8) begin++;
    for (let py = Math.max(0, Math.floor((middle_mm - half_mm) * mm)); py < (middle_mm + half_mm) * mm; py++) {
      if (!dark(px, py)) continue;
      count++;
      let nearest = Infinity;
      for (let at = Math.max(1, begin); at < points.length && points[at - 1][0] < px + 9; at++) nearest = Math.min(nearest, apart(px + 0.5, py + 0.5, points[at - 1], points[at]));
      strayed = Math.max(strayed, nearest);
    }
  }
  return { missed, strayed, count, samples: points.length };
}, cell);

// One strip of the layout "12×1": rows of 15 mm, first middle at 10.5 mm where no wave is higher than its row.
async function strip(lead, { speed, gain, row, row_mm, top_mm }) {
  const { rate, leads } = await source(studies[0]);
  return compare({ values: leads[lead], rate, from_s: 0, seconds: 10, left_mm: 14, middle_mm: top_mm + (row + 0.5) * row_mm, speed, gain, half_mm: row_mm * 0.3 });
}

const ORDER = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
// Millimetres from the top of the sheet to its first row, as the page reports them.
const top_mm = async () => Number(await paper().getAttribute("data-top-mm"));

await check("sample_exact", async () => {
  await choose("配置", "12x1");
  for (const [speed, gain] of [[25, 10], [50, 10], [12.5, 5]]) {
    await choose("紙送り", String(speed));
    await choose("感度", String(gain));
    for (const lead of ["II", "aVF", "V1", "V6"]) {
      const { missed, strayed, count, samples } = await strip(lead, { speed, gain, row: ORDER.indexOf(lead), row_mm: 15, top_mm: await top_mm() });
      kit.figures[`${lead}_${speed}_${gain}`] = `sample ${missed.toFixed(2)} px, line ${strayed.toFixed(2)} px, ${samples} samples`;
      // Half a pixel, and for the line half its own width (1.15 px) besides.
      if (count < 500 || missed > 0.5 || strayed > 0.5 + 0.575) return `${lead} at ${speed} mm/s, ${gain} mm/mV: a sample is ${missed.toFixed(2)} px from the line, a pixel of the line ${strayed.toFixed(2)} px from the samples (${count} pixels)`;
    }
  }
  await choose("紙送り", "25");
  await choose("感度", "10");
  await choose("配置", "3x4");
});

await check("sample_exact_can_fail", async () => {
  await choose("配置", "12x1");
  const { rate, leads } = await source(studies[0]);
  const cell = { rate, from_s: 0, seconds: 10, left_mm: 14, middle_mm: (await top_mm()) + 22.5, speed: 25, gain: 10, half_mm: 4 };
  // The same lead 20 ms late is two pixels off: the comparison must see it.
  const { missed, strayed } = await compare({ ...cell, values: leads.II.slice(Math.round(rate * 0.02)) });
  await choose("配置", "3x4");
  return missed > 0.5 || strayed > 1.1 ? "" : `a trace 20 ms late passes (${missed}, ${strayed})`;
});

await check("layouts", async () => {
  for (const [layout, height] of [["3x4", 4 * 30], ["6x2", 6 * 24], ["12x1", 12 * 15], ["cabrera", 6 * 24], ["4x1", 4 * 30]]) {
    await choose("配置", layout);
    const mm = await paper().evaluate((canvas) => Number.parseFloat(canvas.style.height) / Number.parseFloat(canvas.dataset.pixelsPerMm));
    if (mm < height || mm > height + 60) return `${layout} is ${mm} mm high`;
    await page.screenshot({ path: `${out}/ecg_${layout}.png` });
  }
  await choose("配置", "3x4");
});

const pixels = () => paper().evaluate((canvas) => canvas.toDataURL());

await check("filters", async () => {
  const state = page.locator(".ecg-state");
  if (!(await state.innerText()).includes("表示フィルター：なし")) return `at first: ${await state.innerText()}`;
  const plain = await pixels();
  await choose("低域遮断", "0.5");
  const strong = await state.innerText();
  if (!strong.includes("0.5 Hz") || !strong.includes("ST は評価できません")) return `a high-pass of 0.5 Hz says ${strong}`;
  await choose("低域遮断", "0.05");
  if ((await state.innerText()).includes("ST は")) return "0.05 Hz warns of ST";
  await choose("高域遮断", "35");
  await choose("ノッチ", "50");
  await page.screenshot({ path: `${out}/ecg_filtered.png` });
  if ((await pixels()) === plain) return "filters change nothing";
  for (const label of ["低域遮断", "高域遮断", "ノッチ"]) await choose(label, "0");
  return (await pixels()) === plain ? "" : "without filters the trace is not what it was";
});

await check("calipers", async () => {
  await page.keyboard.press("Escape");
  await page.locator(".calipers-button").click();
  const box = await paper().boundingBox();
  const per = await paper().evaluate((canvas) => Number.parseFloat(canvas.dataset.pixelsPerMm));
  const said = page.locator(".ecg-said");
  // 20 mm at 25 mm/s are 800 ms; the marks stand on samples, so up to a sample and a pixel less or more.
  await page.mouse.move(box.x + 20 * per, box.y + 20 * per);
  await page.mouse.down();
  await page.mouse.move(box.x + 40 * per, box.y + 20 * per, { steps: 4 });
  await page.mouse.up();
  const ms = async () => Number(/Δt ([\d.]+)/.exec(await said.innerText())?.[1]);
  if (Math.abs((await ms()) - 800) > 14) return `20 mm are ${await ms()} ms`;
  if (!/7\d \/分/.test(await said.innerText())) return `the rate says ${await said.innerText()}`;
  const before = await ms();
  await page.keyboard.press("ArrowRight");
  const { rate } = await source(studies[0]);
  if (Math.abs((await ms()) - before - 1000 / rate) > 1.01) return `one step to the right goes from ${before} to ${await ms()} ms`;
  await page.keyboard.press("m");
  await page.keyboard.press("r");
  for (let at = 0; at < 20; at++) await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("t");
  await page.screenshot({ path: `${out}/ecg_calipers.png` });
  const own = await page.locator(".own").innerText();
  const [rr, qt] = ["RR[^\\n]*", "QT"].map((name) => Number(new RegExp(`(?:^|\\n)${name}\\n(\\d+) ms`).exec(own)?.[1]));
  const bazett = Number(/QTcB \(Bazett\)\n(\d+) ms/.exec(own)?.[1]);
  await page.keyboard.press("Escape");
  return Math.abs(qt / Math.sqrt(rr / 1000) - bazett) <= 1.5 ? "" : `RR ${rr}, QT ${qt}: QTcB ${bazett}; ${own}`;
});

await check("device_is_marked", async () => {
  const device = await page.locator("section.device").innerText();
  return /装置/.test(device) && /医師の判断ではありません/.test(device) ? "" : `the panel says ${device}`;
});

await check("prior", async () => {
  for (const study of studies) {
    // By way of the list, so that nothing of the study before is still on the page.
    await page.goto(`${base}/#/studies`);
    await page.locator(".ecg").waitFor({ state: "detached" });
    await openStudy(study);
    const found = page.locator('select[aria-label="前回"]');
    if (await until("none", async () => await found.isVisible(), 2500)) continue;
    const widths = await page.locator(".ecg-sheet canvas.paper").evaluateAll((all) => all.filter((canvas) => canvas.getClientRects().length > 0).map((canvas) => canvas.dataset.pixelsPerMm));
    if (new Set(widths).size !== 1) return `current and prior are at ${widths} pixels a millimetre`;
    const plain = await pixels();
    await choose("前回", "over");
    await page.screenshot({ path: `${out}/ecg_overlaid.png` });
    if ((await pixels()) === plain) return "an overlaid prior changes nothing";
    return (await page.locator(".ecg-state").innerText()).includes("前回") ? "" : "the sheet does not say what is blue";
  }
  return "nobody has an earlier ECG";
});

await check("redraw", async () => {
  const took = [];
  for (let at = 0; at < 12; at++) {
    took.push(await page.locator('select[aria-label="感度"]').evaluate((box, gain) => {
      const begin = performance.now();
      box.value = gain;
      box.dispatchEvent(new Event("change"));
      return performance.now() - begin;
    }, at % 2 ? "10" : "20"));
  }
  took.sort((one, other) => one - other);
  kit.figures.redraw_ms_median = Math.round(took[6] * 10) / 10;
  return took[6] < 200 ? "" : `a redraw takes ${took[6]} ms`;
});

await check("phone", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openStudy(studies[0]);
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  return wide > 0 ? `the page is ${wide} pixels wider than the phone` : "";
});

kit.complaints = kit.complaints.filter((line) => !line.includes("401"));
kit.checks.console = kit.complaints.length === 0 || kit.complaints[0];
kit.checks.same_origin = kit.foreign.size === 0 || `asked elsewhere: ${[...kit.foreign]}`;
await kit.finish();
