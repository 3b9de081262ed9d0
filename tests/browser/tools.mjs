// Drives the tools of the reading room in a real browser: measures with the mouse on a CT, saves with a reader's session, loads the page anew, and
// finds the measurements again, in the archive and on the screen. The reader needs no permission to upload.
//
//   PLAYWRIGHT_DIR=/where/npm/put/playwright-core node tests/browser/tools.mjs BASE_URL READER_TOKEN OUT_DIR
//
// The archive holds a CT study with nothing saved to it. What was stored is judged by dciodvfy (dicom3tools), dsrdump (DCMTK) and highdicom where
// they are installed; what is missing is named in `skipped`. The last line is one JSON object, as of kit.mjs.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { dicom, open } from "./kit.mjs";

const [base, token, out] = process.argv.slice(2);
if (!base || !token || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node tools.mjs BASE_URL READER_TOKEN OUT_DIR");
  process.exit(2);
}
const kit = await open(out);
const { page, check, until, figures } = kit;
kit.at(base);
figures.skipped = [];
const SR = "1.2.840.10008.5.1.4.1.1.88.33";
const GSPS = "1.2.840.10008.5.1.4.1.1.11.1";
const KO = "1.2.840.10008.5.1.4.1.1.88.59";
const HIGHDICOM = `
import sys
try:
    import highdicom
except ImportError:
    sys.exit(3)
report = highdicom.sr.srread(sys.argv[1])
planar = report.content.get_planar_roi_measurement_groups()
groups = report.content.get_image_measurement_groups()
assert len(planar) == 1 and len(groups) == 4, (len(planar), len(groups))
length = [m for g in groups for m in g.get_measurements() if m.name.meaning == 'Length'][0]
print(length.value, length.unit.value, len(planar[0].get_measurements()))
`;

let study = "";
let slice = null;

const button = (name) => page.locator(`[data-tool="${name}"], [data-action="${name}"]`).first();
const panel = () => page.locator(".tools-panel");
const rowsOf = () => panel().locator("section").first().locator("li");
const rowText = async (at) => (await rowsOf().nth(at).innerText()).replaceAll("\n", " ");

// The first slice as the archive has it, and where it lies on the screen: fitted to the middle of its canvas.
async function measureSlice() {
  const box = await page.locator("canvas.picture").first().boundingBox();
  const scale = Math.min(box.width / slice.columns, (box.height * slice.spacing[1]) / (slice.rows * slice.spacing[0]));
  const [width, height] = [slice.columns * scale, (slice.rows * scale * slice.spacing[0]) / slice.spacing[1]];
  const [left, top] = [box.x + (box.width - width) / 2, box.y + (box.height - height) / 2];
  const at = (column, row) => [left + (column / slice.columns) * width, top + (row / slice.rows) * height];
  return { at, scale };
}

async function drag(from, to) {
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move((from[0] + to[0]) / 2, (from[1] + to[1]) / 2);
  await page.mouse.move(...to);
  await page.mouse.up();
}

const stored = (modality) => dicom(page, `studies/${study}/series?Modality=${modality}&includefield=all`);
const whole = () => until("the pixels do not come whole", async () => (await page.locator(".corner").allInnerTexts()).join(" ").includes("可逆"));

await check("a-reader-signs-in-and-opens-a-ct", async () => {
  await page.goto(`${base}/`);
  await page.locator("#token").fill(token);
  await page.locator(".sign-in .primary").click();
  await page.locator(".sign-in").waitFor({ state: "detached" });
  const found = await dicom(page, "studies?ModalitiesInStudy=CT&includefield=all");
  const plain = found.filter((row) => !row["00080061"].Value.includes("SR") && !row["00080061"].Value.includes("KO"));
  study = plain[0]?.["0020000D"].Value[0];
  if (!study) return "there is no CT study without reports";
  await page.goto(`${base}/#/study/${study}`);
  await page.locator("canvas.picture").first().waitFor();
  await button("length").waitFor();
  return whole();
});

// Without it nothing else can be.
if (kit.checks["a-reader-signs-in-and-opens-a-ct"] !== true) await kit.finish();

await check("the-slice-is-known", async () => {
  const text = await page.locator(".cell .corner").allInnerTexts();
  const number = Number(/画像 (\d+)\//.exec(text.join(" "))?.[1]);
  const manifest = await page.evaluate(async (uid) => (await fetch(`/dicom-web/studies/${uid}/manifest`)).json(), study);
  if (manifest.offers.annotate !== true) return "a reader is not offered to annotate";
  const series = manifest.series.filter((one) => one.Modality === "CT").sort((a, b) => b.count - a.count)[0];
  const value = (column, row) => column && (Object.hasOwn(column, "all") ? column.all : column.each[row]);
  const { instances } = series;
  const of = (keyword, row = 0) => value(instances[keyword], row);
  slice = { columns: of("Columns"), rows: of("Rows"), spacing: of("PixelSpacing").map(Number), series: series.SeriesInstanceUID, number, slope: Number(of("RescaleSlope") ?? 1), intercept: Number(of("RescaleIntercept") ?? 0), signed: of("PixelRepresentation") === 1, rowsOf: instances, count: series.count };
  return number >= 1 ? "" : `no image number in ${text}`;
});

await check("a-length-is-drawn-with-the-mouse-and-is-right-in-mm", async () => {
  await button("length").click();
  const { at } = await measureSlice();
  const [a, b] = [[slice.columns * 0.3, slice.rows * 0.4], [slice.columns * 0.6, slice.rows * 0.55]];
  await drag(at(...a), at(...b));
  await button("marks").click();
  await rowsOf().first().waitFor();
  const said = Number(/([\d.]+) mm/.exec(await rowText(0))?.[1]);
  const expected = Math.hypot((b[0] - a[0]) * slice.spacing[1], (b[1] - a[1]) * slice.spacing[0]);
  figures.length_mm = { said, expected: Number(expected.toFixed(3)) };
  // The mouse moves in whole CSS pixels: one of them at either end.
  const { scale } = await measureSlice();
  return Math.abs(said - expected) <= (2 * slice.spacing[1]) / scale + 0.06 ? "" : `${said} mm, not ${expected}`;
});

await check("an-ellipse-measures-the-archives-own-samples", async () => {
  await button("ellipse").click();
  const { at } = await measureSlice();
  await drag(at(slice.columns * 0.4, slice.rows * 0.62), at(slice.columns * 0.5, slice.rows * 0.7));
  const wrong = await until("the ellipse has no mean", async () => /平均/.test(await rowText(1)));
  if (wrong) return wrong;
  const said = await rowText(1);
  const read = (name) => Number(new RegExp(`${name} (-?[\\d.]+)`).exec(said)?.[1]);
  const samples = await sliceSamples();
  const expected = ellipse(samples, [slice.columns * 0.4, slice.rows * 0.62], [slice.columns * 0.5, slice.rows * 0.7]);
  figures.ellipse = { said: { mean: read("平均"), sd: read("SD"), least: read("最小"), greatest: read("最大") }, expected };
  return (Math.abs(read("平均") - expected.mean) <= Math.max(2, expected.sd * 0.1) && said.includes("HU") ? "" : `${said}, not ${JSON.stringify(expected)}`);
});

// All samples of the slice, decoded by the archive (PS3.18 §10.4.1.1.6).
async function sliceSamples() {
  const each = slice.rowsOf.InstanceNumber.each ?? [];
  const row = Math.max(0, each.length ? each.indexOf(await shownInstanceNumber()) : 0);
  const uid = (slice.rowsOf.SOPInstanceUID.each ?? [slice.rowsOf.SOPInstanceUID.all])[row];
  const bytes = await page.evaluate(async (path) => {
    const response = await fetch(path, { headers: { Accept: 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1' } });
    return { status: response.status, body: Array.from(new Uint8Array(await response.arrayBuffer())) };
  }, `/dicom-web/studies/${study}/series/${slice.series}/instances/${uid}/frames/1`);
  const body = Buffer.from(bytes.body);
  const begin = body.indexOf("\r\n\r\n") + 4;
  const length = slice.columns * slice.rows * 2;
  return Array.from({ length: length / 2 }, (_, at) => (slice.signed ? body.readInt16LE(begin + 2 * at) : body.readUInt16LE(begin + 2 * at)) * slice.slope + slice.intercept);
}

async function shownInstanceNumber() {
  const text = (await panel().locator("li .faint").first().innerText().catch(() => "")) ?? "";
  return Number(/画像 (\d+)/.exec(text)?.[1]);
}

function ellipse(samples, a, b) {
  const [x, y, rx, ry] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, Math.abs(b[0] - a[0]) / 2, Math.abs(b[1] - a[1]) / 2];
  const inside = [];
  for (let row = Math.floor(y - ry); row <= y + ry; row++) {
    for (let column = Math.floor(x - rx); column <= x + rx; column++) {
      if (((column + 0.5 - x) / rx) ** 2 + ((row + 0.5 - y) / ry) ** 2 <= 1) inside.push(samples[row * slice.columns + column]);
    }
  }
  const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length;
  return { mean, sd: Math.sqrt(inside.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (inside.length - 1)), least: Math.min(...inside), greatest: Math.max(...inside) };
}

await check("an-angle-takes-a-drag-and-a-click", async () => {
  await button("angle").click();
  const { at } = await measureSlice();
  await drag(at(slice.columns * 0.2, slice.rows * 0.2), at(slice.columns * 0.3, slice.rows * 0.2));
  await page.mouse.move(...at(slice.columns * 0.3, slice.rows * 0.28));
  await page.mouse.move(...at(slice.columns * 0.3, slice.rows * 0.3));
  await page.mouse.down();
  await page.mouse.up();
  const said = Number(/([\d.]+)°/.exec(await rowText(2))?.[1]);
  figures.angle = said;
  return Math.abs(said - 90) < 1.5 ? "" : `${said}°, not 90°`;
});

await check("a-mark-is-moved-deleted-and-brought-back-by-the-keyboard", async () => {
  await page.locator("canvas.picture").first().focus();
  const before = await rowText(2);
  await page.keyboard.press("Delete");
  if ((await rowsOf().count()) !== 2) return "it was not deleted";
  await page.keyboard.press("Control+z");
  if ((await rowsOf().count()) !== 3) return "it did not come back";
  return (await rowText(2)) === before ? "" : `${before} came back as ${await rowText(2)}`;
});

await check("a-note-a-cobb-angle-a-probe-and-a-key-image", async () => {
  const { at } = await measureSlice();
  await button("cobb").click();
  await drag(at(slice.columns * 0.55, slice.rows * 0.2), at(slice.columns * 0.7, slice.rows * 0.2));
  await drag(at(slice.columns * 0.55, slice.rows * 0.3), at(slice.columns * 0.7, slice.rows * 0.33));
  await button("probe").click();
  await page.mouse.click(...at(slice.columns * 0.5, slice.rows * 0.8));
  await button("note").click();
  await page.mouse.click(...at(slice.columns * 0.1, slice.rows * 0.85));
  await page.locator("dialog input").fill("要確認の所見");
  await page.keyboard.press("Enter");
  await page.locator("canvas.picture").first().focus();
  await page.keyboard.press("Shift+B");
  const wrong = await until("the marks do not come", async () => (await rowsOf().count()) === 6 && (await panel().locator("section").nth(1).locator("li").count()) === 1);
  if (wrong) return `${wrong}: ${await panel().innerText()}`;
  return /HU/.test(await rowText(4)) ? "" : `the probe says ${await rowText(4)}`;
});

await check("drafts-outlast-a-look-at-the-list", async () => {
  await page.evaluate(() => { location.hash = "#/studies"; });
  await page.locator("canvas.picture").first().waitFor({ state: "detached" });
  await page.evaluate((uid) => { location.hash = `#/study/${uid}`; }, study);
  await page.locator("canvas.picture").first().waitFor();
  await button("marks").click();
  const wrong = await until("the drafts are gone", async () => (await rowsOf().count()) === 6 && (await panel().locator("section").nth(1).locator("li").count()) === 1);
  if (wrong) return wrong;
  await rowsOf().first().locator(".tools-go").click();
  return whole();
});

await check("saved-by-a-reader-and-found-by-qido", async () => {
  await panel().locator("footer input").fill("Sato^Hanako");
  await panel().locator('[data-action="save-marks"]').click();
  const wrong = await until("nothing says that it is saved", async () => /保存しました/.test(await panel().innerText()) || /保存できません/.test(await panel().innerText()));
  if (wrong || /保存できません/.test(await panel().innerText())) return wrong || (await panel().locator("footer").innerText());
  const counts = [];
  for (const modality of ["SR", "PR", "KO"]) counts.push((await stored(modality)).length);
  return counts.join() === "1,1,1" ? "" : `SR, PR, KO: ${counts}`;
});

await check("what-was-stored-is-what-the-standards-ask-for", async () => {
  const wrong = [];
  for (const [modality, sopClass] of [["SR", SR], ["PR", GSPS], ["KO", KO]]) {
    const [series] = await stored(modality);
    const uid = series["0020000E"].Value[0];
    const [instance] = await dicom(page, `studies/${study}/series/${uid}/instances`);
    if (instance["00080016"].Value[0] !== sopClass) wrong.push(`${modality} is ${instance["00080016"].Value[0]}`);
    const file = join(out, `${modality}.dcm`);
    const bytes = await page.evaluate(async (path) => {
      const response = await fetch(path, { headers: { Accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' } });
      return Array.from(new Uint8Array(await response.arrayBuffer()));
    }, `/dicom-web/studies/${study}/series/${uid}/instances/${instance["00080018"].Value[0]}`);
    const body = Buffer.from(bytes);
    const begin = body.indexOf("\r\n\r\n") + 4;
    writeFileSync(file, body.subarray(begin, body.lastIndexOf("\r\n--")));
    wrong.push(...judged(file, modality));
  }
  return wrong.join("; ");
});

// What programs of others say of a file; nothing where all is well.
function judged(file, modality) {
  const wrong = [];
  const verified = spawnSync("dciodvfy", [file], { encoding: "utf8" });
  if (verified.error) figures.skipped.push("dciodvfy");
  else wrong.push(...verified.stderr.split("\n").filter((line) => line.startsWith("Error")).map((line) => `${modality}: ${line}`));
  if (modality === "PR") return wrong;
  const dumped = spawnSync("dsrdump", [file], { encoding: "utf8" });
  if (dumped.error) figures.skipped.push("dsrdump");
  else if (dumped.status !== 0 || /^E:/m.test(dumped.stderr)) wrong.push(`dsrdump of ${modality}: ${dumped.stderr.split("\n")[0]}`);
  if (modality === "SR") wrong.push(...judgedByHighdicom(file));
  return wrong;
}

function judgedByHighdicom(file) {
  const python = process.env.TSUNAGU_PYTHON ?? "python3";
  const run = spawnSync(python, ["-c", HIGHDICOM, file], { encoding: "utf8" });
  if (run.error || run.status === 3) {
    figures.skipped.push("highdicom");
    return [];
  }
  if (run.status !== 0) return [`highdicom: ${run.stderr.trim().split("\n").at(-1)}`];
  figures.highdicom = run.stdout.trim();
  const [value, unit, values] = run.stdout.trim().split(" ");
  return Math.abs(Number(value) - figures.length_mm.said) < 0.06 && unit === "mm" && values === "5" ? [] : [`highdicom reads ${run.stdout}`];
}

await check("a-page-loaded-anew-shows-what-was-saved", async () => {
  await page.reload();
  await page.locator("canvas.picture").first().waitFor();
  await button("marks").click();
  const wrong = await until("the saved measurements do not come", async () => (await rowsOf().count()) >= 5 && (await panel().locator(".tools-document").count()) === 3);
  if (wrong) return `${wrong}: ${await panel().innerText()}`;
  await rowsOf().first().locator(".tools-go").click();
  await whole();
  const text = await panel().innerText();
  if (!text.includes(`${figures.length_mm.said} mm`)) return `no ${figures.length_mm.said} mm in ${text}`;
  // The saved lines are cyan over the image.
  const cyan = await page.locator("canvas.layers").first().evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200 && data[at + 2] > 200 && data[at] < 160) count++;
    return count;
  });
  return cyan > 200 ? "" : `only ${cyan} pixels of saved lines`;
});

await check("what-is-saved-is-hidden-by-choice", async () => {
  await panel().locator(".tools-document", { hasText: "計測 SR" }).locator("input").uncheck();
  return until("the rows stay", async () => (await rowsOf().count()) === 0);
});

await check("the-header-is-searched-by-keyword-tag-and-value", async () => {
  await page.locator("canvas.picture").first().focus();
  await page.keyboard.press("Shift+H");
  const dialog = page.locator(".header-dialog");
  const rows = () => dialog.locator("tbody tr");
  const wrong = await until("the header does not come", async () => (await rows().count()) > 20);
  if (wrong) return wrong;
  for (const [words, expected] of [["PixelSpacing", "PixelSpacing"], ["0028,0030", "PixelSpacing"], ["modality ct", "Modality"]]) {
    await dialog.locator("input").fill(words);
    if (!(await dialog.innerText()).includes(expected)) return `${words} does not find ${expected}`;
  }
  await dialog.locator("input").fill("PixelSpacing");
  const shown = await rows().first().innerText();
  await dialog.locator("input").fill("seq");
  await page.screenshot({ path: join(out, "header.png") });
  await dialog.getByRole("button", { name: "閉じる" }).click();
  return shown.includes(String(slice.spacing[0])) ? "" : shown;
});

await check("a-png-names-nobody-unless-asked-for", async () => {
  await page.keyboard.press("Shift+X");
  const dialog = page.locator(".export-dialog");
  await dialog.waitFor();
  const sizes = async () => dialog.locator("img").evaluate(async (image) => { await image.decode(); return [image.naturalWidth, image.naturalHeight]; });
  await until("no preview", async () => (await sizes().catch(() => [0]))[0] > 100);
  const plain = await sizes();
  const box = dialog.locator("input[type=checkbox]").nth(1);
  if (await box.isChecked()) return "the patient's line is on from the start";
  await box.check();
  const wrong = await until("the picture does not grow by the patient's line", async () => (await sizes().catch(() => [0, 0]))[1] > plain[1] + 20);
  if (wrong) return wrong;
  await page.screenshot({ path: join(out, "export-with-patient.png") });
  const [download] = await Promise.all([page.waitForEvent("download"), dialog.locator('[data-action="png"]').click()]);
  const name = download.suggestedFilename();
  await dialog.getByRole("button", { name: "閉じる" }).click();
  return /^image-CT-\d+-\d+\.png$/.test(name) ? "" : `the file is called ${name}`;
});

await check("a-report-is-a-page-whose-references-lead-to-the-image", async () => {
  await page.locator(".card").filter({ hasText: "SR" }).first().click();
  await page.locator(".report").waitFor();
  const text = await page.locator(".report").innerText();
  await page.screenshot({ path: join(out, "report.png") });
  if (!text.includes(figures.highdicom?.split(".")[0] ?? String(Math.floor(figures.length_mm.said)))) return `no length in ${text.slice(0, 200)}`;
  await page.locator(".report .report-image").first().click();
  return until("the image does not come", async () => (await page.locator("canvas.picture").first().isVisible()) && (await page.locator(".corner").allInnerTexts()).join(" ").includes(`画像 ${slice.number}/`));
});

await check("a-saved-report-is-taken-up-changed-and-replaced", async () => {
  await page.reload();
  await page.locator("canvas.picture").first().waitFor();
  await button("marks").click();
  await panel().getByRole("button", { name: "編集" }).click();
  const wrong = await until("the measurements do not become drafts", async () => (await rowsOf().count()) === 5 && (await panel().getByRole("button", { name: "消す" }).count()) === 5);
  if (wrong) return wrong;
  await rowsOf().first().getByRole("button", { name: "消す" }).click();
  await panel().locator('[data-action="save-marks"]').click();
  const unsaved = await until("nothing says that it is saved", async () => /保存しました/.test(await panel().innerText()));
  if (unsaved) return `${unsaved}: ${await panel().locator("footer").innerText()}`;
  const kept = (await stored("SR")).length;
  await page.reload();
  await page.locator("canvas.picture").first().waitFor();
  await button("marks").click();
  const shown = await until("the new report is not shown alone", async () => (await rowsOf().count()) === 4 && (await panel().locator(".tools-document", { hasText: "計測 SR" }).count()) === 1);
  return shown ? `${shown}: ${await panel().innerText()}` : kept === 2 ? "" : `${kept} reports are held, not 2`;
});

await check("a-reader-may-store-no-image", async () => {
  const status = await page.evaluate(async ([uid]) => {
    const object = { "00080016": { vr: "UI", Value: ["1.2.840.10008.5.1.4.1.1.2"] }, "00080018": { vr: "UI", Value: ["2.25.1"] }, "0020000D": { vr: "UI", Value: [uid] }, "0020000E": { vr: "UI", Value: ["2.25.2"] } };
    const send = (path) => fetch(path, { method: "POST", headers: { "Content-Type": 'multipart/related; type="application/dicom+json"; boundary=b' }, body: `--b\r\nContent-Type: application/dicom+json\r\n\r\n${JSON.stringify([object])}\r\n--b--\r\n` });
    return [(await send(`/dicom-web/studies/${uid}`)).status, (await send("/dicom-web/studies")).status];
  }, [study]);
  // Both were refusals that were asked for.
  kit.complaints.length = 0;
  return status.join() === "403,403" ? "" : `answered ${status}`;
});

await check("nothing-complained-and-nothing-foreign", () => [...kit.complaints, ...kit.foreign].join("; "));
await kit.finish();
