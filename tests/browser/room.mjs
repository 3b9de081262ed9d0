// Drives the reading room in a real browser against a server that holds the studies of `tsunagu demo`: hanging of mammograms with a prior, layouts, linked
// scroll, localiser lines, MPR and its refusal, cine, keyboard, touch, and what a screen reader is told.
//
//   PLAYWRIGHT_DIR=… node tests/browser/room.mjs BASE_URL SIGN_IN OUT_DIR
//
// A generated archive has nobody with two studies of one kind. So the manifest of one study is given another study as a prior on its way to the page; all that
// follows (its manifest, its pixels) is the server's.

import { dicom, open } from "./kit.mjs";
import { signIn, walkControls } from "./parts.mjs";

const [base, credential, out] = process.argv.slice(2);
if (!base || !credential || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node room.mjs BASE_URL SIGN_IN_LINK_OR_TOKEN OUT_DIR");
  process.exit(2);
}
const kit = await open(out);
const { page, check, until } = kit;
page.setDefaultTimeout(15_000);
kit.at(new URL(base).origin);
await signIn(page, base, credential);
await page.locator("form.sign-in").waitFor({ state: "detached" });

const cells = page.locator(".cell");
const active = page.locator(".cell.active");
const first = (list) => [list ?? []].flat()[0];
const studies = (await dicom(page, "studies?limit=500&includefield=all")).map((row) => ({
  uid: first(row["0020000D"]?.Value), modalities: row["00080061"]?.Value ?? [], date: first(row["00080020"]?.Value), images: Number(first(row["00201208"]?.Value) ?? 0),
}));

const manifestOf = (uid) => page.evaluate(async (path) => (await fetch(path)).json(), `/dicom-web/studies/${uid}/manifest`);
const cellOf = (column, row) => (column === undefined ? undefined : Object.hasOwn(column, "all") ? column.all : column.each[row]);

// The series of all studies of `modality`, with their study.
async function seriesOf(modality) {
  const found = [];
  for (const { uid, modalities, date } of studies.filter((one) => one.modalities.includes(modality))) {
    for (const series of (await manifestOf(uid)).series.filter((one) => one.Modality === modality)) found.push({ uid, modalities, date, series });
  }
  return found;
}

async function openStudy(uid) {
  await page.goto(`${base}/#/studies`);
  await page.goto(`${base}/#/study/${uid}`);
  await page.locator(".card").first().waitFor();
  await active.waitFor();
}

// Every view that shows something has its pixels, in full if nothing else is said, and says so.
async function complete(quality = /可逆|再構成|サーバー描画/) {
  let texts = [];
  const wrong = await until("pictures do not come", async () => {
    texts = await page.locator(".cell:visible").evaluateAll((list) => list.filter((cell) => cell.querySelector("canvas.picture")).map((cell) => cell.innerText));
    return texts.length > 0 && texts.every((text) => quality.test(text));
  });
  return wrong && `${wrong}: ${JSON.stringify(texts.filter((text) => !quality.test(text)))}`;
}

const place = (at) => cells.nth(at).locator(".bar").getAttribute("aria-valuenow").then(Number);
const total = (at) => cells.nth(at).locator(".bar").getAttribute("aria-valuemax").then(Number);
const layout = () => page.locator(".tools select").evaluateAll((list) => list.find((box) => [...box.options].some(({ value }) => value === "2x2"))?.value);
const press = async (...keys) => { for (const key of keys) { await page.keyboard.press(key); await page.waitForTimeout(60); } };

// The share of samples of a canvas that differ from `grey` by more than a little.
const lit = (at, selector = "canvas.picture") => cells.nth(at).locator(selector).evaluate((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const column = (x) => { let sum = 0; for (let y = 0; y < canvas.height; y += 3) sum += data[4 * (y * canvas.width + x)] > 40 ? 1 : 0; return sum / (canvas.height / 3); };
  return { left: column(2), right: column(canvas.width - 3), middle: column(canvas.width >> 1) };
});

// Pixels of the layer canvas of a view that are near `colour`.
const drawn = (at, [red, green, blue]) => cells.nth(at).locator("canvas.layers").evaluate((canvas, [red, green, blue]) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 120 && Math.abs(data[i] - red) < 70 && Math.abs(data[i + 1] - green) < 70 && Math.abs(data[i + 2] - blue) < 70) count++;
  return count;
}, [red, green, blue]);

// Gives the study `uid` the study `prior` as its prior, until it is taken back.
async function withPrior(uid, prior) {
  const pattern = new RegExp(`/dicom-web/studies/${uid.replaceAll(".", "\\.")}/manifest(\\?|$)`);
  await page.route(pattern, async (route) => {
    const headers = route.request().headers();
    delete headers["if-none-match"];
    const response = await route.fetch({ headers });
    const json = await response.json();
    json.priors = [{ StudyInstanceUID: prior.uid, StudyDate: "20240105", ModalitiesInStudy: prior.modalities, StudyDescription: "prior of the test" }];
    await route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify(json) });
  });
  return () => page.unroute(pattern);
}

const breasts = await seriesOf("MG");
const four = breasts.filter(({ uid }) => breasts.filter((one) => one.uid === uid).reduce((sum, { series }) => sum + series.count, 0) >= 4);

await check("a_small_picture_comes_first", async () => {
  const { uid } = studies.filter(({ modalities }) => modalities.join() === "CT").sort((a, b) => b.images - a.images)[0];
  const frames = /\/frames\//;
  let letThrough;
  const held = new Promise((go) => { letThrough = go; });
  await page.route(frames, async (route) => { await held; await route.continue().catch(() => {}); });
  await page.goto(`${base}/study/${uid}`);
  const cover = page.locator(".cover");
  await page.locator(".cell .cover.laid").waitFor();
  const lies = await page.evaluate(() => {
    const [picture, canvas] = [".cover img", "canvas.picture"].map((name) => document.querySelector(name).getBoundingClientRect());
    const isLaid = ["left", "top", "right", "bottom"].every((edge) => Math.abs(picture[edge] - canvas[edge]) < 1);
    return { isLaid, isSeen: getComputedStyle(document.querySelector(".cover")).visibility === "visible", address: location.pathname + location.hash };
  });
  await page.screenshot({ path: `${out}/cover.png` });
  letThrough();
  const wrong = await complete();
  await page.unroute(frames);
  if (wrong) return wrong;
  if (await cover.count()) return "it is still there when the frame is";
  return !(lies.isLaid && lies.isSeen && lies.address === `/#/study/${uid}`) && JSON.stringify(lies);
});

await check("a_list_that_was_left_before_it_was_drawn_covers_no_study", async () => {
  const { uid } = studies.find(({ modalities }) => modalities.includes("CT"));
  let letThrough;
  const held = new Promise((go) => { letThrough = go; });
  await page.route(/list\.css/, async (route) => { await held; await route.continue(); });
  await page.goto(`${base}/study/${uid}`);
  await active.waitFor();
  const asked = page.waitForRequest(/list\.css/);
  await page.evaluate(() => { location.hash = "#/studies"; });
  await asked;
  await page.evaluate((uid) => { location.hash = `#/study/${uid}`; }, uid);
  const came = page.waitForResponse(/list\.css/);
  letThrough();
  await came;
  await page.unroute(/list\.css/);
  return (await complete()) || ((await page.locator(".list").count()) ? "the list lies over it" : "");
});

await check("mammograms_hang", async () => {
  await openStudy(four[0].uid);
  const wrong = await complete();
  if (wrong) return wrong;
  await page.waitForTimeout(400);
  const names = await page.locator(".cell .corner .who").allInnerTexts();
  if (names.join() !== "R CC,L CC,R MLO,L MLO") return `they hang ${names.join()}`;
  for (const [at, wall, outer] of [[0, "right", "left"], [1, "left", "right"], [2, "right", "left"], [3, "left", "right"]]) {
    const seen = await lit(at);
    if (!(seen[wall] > 0.3)) return `view ${at + 1} has no chest wall at its ${wall}: ${JSON.stringify(seen)}`;
    if (seen[outer] > 0.05) return `view ${at + 1} is not dark at its ${outer}: ${JSON.stringify(seen)}`;
  }
  const scales = await page.locator(".cell .ruler-line").evaluateAll((list) => list.map((line) => Math.round(line.getBoundingClientRect().width)));
  return scales.length === 4 && new Set(scales).size === 1 ? "" : `their rulers are ${scales} pixels long`;
});

// Inverted, the air of a mammogram stays black: the layer over it is opaque there.
await check("mammogram_mask", async () => {
  await press("i");
  await page.waitForTimeout(300);
  const seen = await cells.first().evaluate((cell) => {
    const [picture, layer] = ["picture", "layers"].map((name) => { const canvas = cell.querySelector(`canvas.${name}`); return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height); });
    let [air, covered] = [0, 0];
    for (let at = 0; at < picture.data.length; at += 4) if (picture.data[at] > 235) { air++; if (layer.data[at + 3] > 250) covered++; }
    return { air: air / (picture.data.length / 4), covered: covered / air, breast: layer.data[4 * ((picture.height >> 1) * picture.width + picture.width - 8) + 3] };
  });
  await press("i");
  return seen.air > 0.05 && seen.covered > 0.7 && seen.breast === 0 ? "" : JSON.stringify(seen);
});

await check("mammograms_with_prior", async () => {
  const other = four.find(({ uid }) => uid !== four[0].uid) ?? four[0];
  const back = await withPrior(four[0].uid, other);
  await openStudy(four[0].uid);
  await press("p");
  // Eight mammograms in full are more than the page keeps in memory; of the others it keeps what these small views can show.
  const wrong = (await until("there are not eight views", async () => (await cells.count()) === 8)) || (await complete(/可逆|プレビュー 1\/[248]/));
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${out}/mammograms_prior.png` });
  const names = await page.locator(".cell .corner .who").allInnerTexts();
  const marks = await page.locator(".cell").evaluateAll((list) => list.map((cell) => (cell.innerText.includes("過去 2024") || cell.innerText.includes("過去") ? 1 : 0)).join(""));
  await press("p");
  const left = await cells.count();
  await back();
  if (wrong) return wrong;
  if (names.join() !== "R CC,L CC,R MLO,L MLO,R CC,L CC,R MLO,L MLO") return `they hang ${names.join()}`;
  return marks === "00001111" && left === 4 ? "" : `marked as prior: ${marks}; after p there are ${left} views`;
});

// A stack of many placed images, of one kind.
const volumes = [...(await seriesOf("CT")), ...(await seriesOf("MR"))].filter(({ series }) => series.count >= 12 && series.instances.ImagePositionPatient);
const openSeries = async ({ uid, series }) => {
  await openStudy(uid);
  const card = page.locator(".card").filter({ hasText: series.SeriesDescription ?? "" }).filter({ hasText: `${series.count} 枚` }).first();
  await card.click();
  await page.waitForTimeout(300);
};

await check("layouts", async () => {
  await openSeries(volumes[0]);
  const seen = [await cells.count()];
  for (let turn = 0; turn < 4; turn++) { await press("l"); seen.push(`${await layout()}:${await cells.count()}`); }
  return seen.join() === "1,1x2:2,2x1:2,2x2:4,1x1:1" ? "" : `the layouts are ${seen.join()}`;
});

await check("linked_scroll", async () => {
  const other = volumes.find((one) => one !== volumes[0] && one.uid !== volumes[0].uid) ?? volumes[0];
  const back = await withPrior(volumes[0].uid, { uid: other.uid, modalities: [volumes[0].series.Modality] });
  try {
    await openSeries(volumes[0]);
    await page.locator(".priors select").selectOption({ index: 1 });
    const wrong = await until("there are not two views", async () => (await cells.count()) === 2);
    if (wrong) return wrong;
    await page.waitForTimeout(500);
    const shown = await cells.count();
    if (!(await cells.nth(1).locator(".bar").count())) return "the prior is one image";
    const before = [await place(0), await place(1)];
    await cells.first().locator("canvas.picture").hover();
    for (let turn = 0; turn < 4; turn++) await page.mouse.wheel(0, 120);
    await page.waitForTimeout(300);
    const after = [await place(0), await place(1)];
    if (after[0] !== before[0] + 4 || after[1] === before[1]) return `from ${before} four notches lead to ${after}`;
    await press("k", "ArrowUp", "ArrowUp");
    const apart = [await place(0), await place(1)];
    return apart[0] === after[0] - 2 && apart[1] === after[1] && shown === 2 ? "" : `unlinked, two keys lead from ${after} to ${apart}`;
  } finally {
    await back();
  }
});

// The same series twice: one Frame of Reference, and so the same place.
await check("linked_by_position", async () => {
  await openSeries(volumes[0]);
  await press("l");
  const card = page.locator(".card[aria-current=true], .card.shown").first();
  const target = await cells.nth(1).boundingBox();
  const from = await card.boundingBox();
  await page.mouse.move(from.x + 40, from.y + 40);
  await page.mouse.down();
  await page.mouse.move(target.x + target.width / 2, target.y + target.height / 2, { steps: 6 });
  const ghost = await page.locator(".carried").count();
  await page.mouse.up();
  if (!ghost) return "nothing is carried from the strip";
  await page.waitForTimeout(300);
  if ((await total(0)) !== (await total(1))) return `the views hold ${await total(0)} and ${await total(1)} images`;
  await press("k", "Home");
  if ((await place(0)) !== 1 || (await place(1)) !== 1) return `Home leads to ${await place(0)} and ${await place(1)}`;
  await press("ArrowDown", "ArrowDown", "ArrowDown");
  return (await place(0)) === 4 && (await place(1)) === 4 ? "" : `three keys lead to ${await place(0)} and ${await place(1)}`;
});

// What the page is to say to a series: by the geometry in the manifest.
const thick = ({ series }) => {
  const at = Array.from({ length: series.count }, (_, row) => cellOf(series.instances.ImagePositionPatient, row)?.[2]).sort((a, b) => a - b);
  const step = (at.at(-1) - at[0]) / (at.length - 1);
  return { step, even: new Set(at).size === at.length && at.slice(1).every((one, n) => Math.abs(one - at[n] - step) < 0.05 * step), pixel: cellOf(series.instances.PixelSpacing, 0)?.[0] };
};
const axial = volumes.filter(({ series }) => String(cellOf(series.instances.ImageOrientationPatient, 0)) === "1,0,0,0,1,0");
const regular = axial.find((one) => { const { step, even, pixel } = thick(one); return even && step < 10 * pixel; });
const irregular = axial.find((one) => { const { step, even, pixel } = thick(one); return !even || step > 13 * pixel; });

await check("mpr", async () => {
  if (!regular) return "no series is a regular volume";
  await openSeries(regular);
  const wrong = await complete();
  if (wrong) return wrong;
  await press("m");
  await page.locator(".grid.mpr").waitFor({ timeout: 60_000 });
  const notShown = await complete();
  if (notShown) return notShown;
  const titles = await page.locator(".cut-mark").allInnerTexts();
  if (titles.join() !== "横断,矢状断,冠状断") return `the cuts are ${titles.join()}`;
  await page.waitForTimeout(300);
  const lines = [await drawn(0, [127, 201, 122]), await drawn(0, [106, 169, 238]), await drawn(1, [233, 120, 107])];
  if (lines.some((count) => count < 60)) return `the crosshair has ${lines} pixels`;
  const before = [await place(1), await place(2)];
  const box = await cells.first().locator("canvas.picture").boundingBox();
  await page.mouse.click(box.x + box.width * 0.38, box.y + box.height * 0.4);
  await page.waitForTimeout(300);
  const after = [await place(1), await place(2)];
  if (after[0] === before[0] || after[1] === before[1]) return `a click leads from ${before} to ${after}`;
  const frozen = await drawn(0, [106, 169, 238]);
  await cells.nth(2).locator("canvas.picture").hover();
  await page.mouse.wheel(0, 120);
  await page.waitForTimeout(300);
  if ((await place(2)) !== after[1] + 1) return `a notch leads from ${after[1]} to ${await place(2)}`;
  await page.screenshot({ path: `${out}/mpr_open.png` });
  await page.locator(".tools select[aria-label=厚み]").selectOption("10");
  await page.waitForTimeout(300);
  await press("m");
  const left = await until("MPR does not end", async () => (await page.locator(".grid.mpr").count()) === 0, 5000);
  return left || (frozen > 0 && (await total(0)) === regular.series.count ? "" : "the series is not back");
});

await check("mpr_refused", async () => {
  const target = irregular ?? breasts[0];
  await openSeries(target);
  await press("m");
  const said = page.locator(".said:not([hidden])");
  await said.waitFor();
  const sentence = await said.innerText();
  return /^このシリーズからは MPR を作れません。.+。$/.test(sentence.replaceAll("\n", "")) ? "" : `it says ${JSON.stringify(sentence)}`;
});

await check("localiser", async () => {
  const crossing = volumes.map((one) => ({ one, mate: volumes.find((other) => other.uid === one.uid && other !== one
    && cellOf(other.series.instances.FrameOfReferenceUID, 0) === cellOf(one.series.instances.FrameOfReferenceUID, 0)
    && String(cellOf(other.series.instances.ImageOrientationPatient, 0)) !== String(cellOf(one.series.instances.ImageOrientationPatient, 0))) })).find(({ mate }) => mate);
  // A generated archive may hold no crossing planes: then parallel ones must draw no line.
  await openSeries(crossing?.one ?? volumes[0]);
  await press("l");
  if (crossing) {
    await cells.nth(1).click();
    await page.locator(".card").filter({ hasText: crossing.mate.series.SeriesDescription }).first().click();
  }
  await complete();
  await page.waitForTimeout(300);
  const line = (await drawn(0, [242, 193, 78])) + (await drawn(1, [242, 193, 78]));
  kit.figures.localiser = crossing ? "crossing planes" : "parallel planes only";
  return crossing ? (line > 60 ? "" : `the line has ${line} pixels`) : line === 0 ? "" : `parallel planes draw ${line} pixels`;
});

await check("cine", async () => {
  const clips = (await seriesOf("US")).filter(({ series }) => Array.from({ length: series.count }, (_, row) => cellOf(series.instances.NumberOfFrames, row) ?? 1).some((count) => count > 3));
  if (!clips.length) return "no US series has a clip";
  await openStudy(clips[0].uid);
  await page.locator(".card").filter({ hasText: /コマ/ }).first().click();
  await complete();
  const rate = Number(await page.locator(".rate").inputValue());
  const row = Array.from({ length: clips[0].series.count }, (_, at) => at).find((at) => (cellOf(clips[0].series.instances.NumberOfFrames, at) ?? 1) > 3);
  const time_ms = Number(first(cellOf(clips[0].series.instances.FrameTime, row)));
  if (time_ms > 0 && rate !== Math.round(1000 / time_ms)) return `FrameTime ${time_ms} ms plays at ${rate}`;
  await page.locator(".rate").fill("10");
  await page.locator(".rate").press("Tab");
  await active.locator("canvas.picture").focus();
  const moved = await until("the cine stands still", async () => { const from = await place(0); if ((await page.getByRole("button", { name: "停止" }).count()) === 0) await press(" "); await page.waitForTimeout(500); return (await place(0)) !== from; }, 20_000);
  if (moved) return moved;
  await press(" ");
  const still = await place(0);
  await page.waitForTimeout(400);
  return (await place(0)) === still ? "" : "space does not stop it";
});

await check("keyboard", async () => {
  await openSeries(volumes[0]);
  await complete();
  const count = await total(0);
  await press("End");
  if ((await place(0)) !== count) return `End leads to ${await place(0)}`;
  await press("Home", "ArrowDown");
  if ((await place(0)) !== 2) return `Home and down lead to ${await place(0)}`;
  const tools = [];
  for (const key of ["s", "d", "z", "w"]) { await press(key); tools.push(await page.locator(".rail [aria-checked=true]").getAttribute("data-tool")); }
  if (tools.join() !== "scroll,pan,zoom,window") return `s d z w choose ${tools}`;
  await press("o");
  if (await active.locator(".corner").first().isVisible()) return "o does not hide the text";
  await press("o");
  await active.locator(".edge.top").waitFor();
  const top = () => active.locator(".edge.top").innerText();
  const upright = await top();
  await press("]");
  const turned = await until("] does not turn it", async () => (await top()) !== upright, 5000);
  await press("r");
  const back = await until("r does not turn it back", async () => (await top()) === upright, 5000);
  if (turned || back) return turned || back;
  await press("?");
  const help = page.locator("dialog.room-help");
  await help.waitFor();
  const keys = await help.locator("kbd").count();
  await press("Escape");
  const open = await until("Escape does not close the map", async () => (await help.count()) === 0, 5000);
  return keys > 25 ? open : `the map has ${keys} keys`;
});

// Series by the Page keys, from the first to the next and back.
await check("series_keys", async () => {
  const many = volumes.find(({ uid }) => volumes.filter((one) => one.uid === uid).length > 1);
  if (!many) return "no study has two series";
  await openStudy(many.uid);
  const current = () => page.locator(".card[aria-current=true] .card-title").innerText();
  const from = await current();
  await press("PageDown");
  const next = await current();
  await press("PageUp");
  return next !== from && (await current()) === from ? "" : `from ${from} to ${next} to ${await current()}`;
});

await check("screen_reader", async () => {
  await openSeries(volumes[0]);
  await complete();
  return walkControls(page);
});

// What arrives later moves nothing: the picture lies where it lay when the page was first painted.
await check("no_layout_shift", async () => {
  await page.goto(`${base}/#/studies`);
  await page.evaluate(() => { globalThis.shifts = []; new PerformanceObserver((list) => { for (const { value, sources } of list.getEntries()) globalThis.shifts.push([value, sources[0]?.node?.className]); }).observe({ type: "layout-shift", buffered: false }); });
  await page.goto(`${base}/#/study/${volumes[0].uid}`);
  await active.waitFor();
  await complete();
  await page.waitForTimeout(1500);
  const shifts = await page.evaluate(() => globalThis.shifts);
  const sum = shifts.reduce((total, [value]) => total + value, 0);
  kit.figures.layout_shift = sum;
  return sum < 0.02 ? "" : `things moved by ${sum.toFixed(3)}: ${JSON.stringify(shifts.slice(0, 5))}`;
});

await check("phone", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openSeries(volumes[0]);
  await complete();
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  const box = await active.locator("canvas.picture").boundingBox();
  const devtools = await page.context().newCDPSession(page);
  const fingers = (type, ...points) => devtools.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x: box.x + box.width / 2 + x, y: box.y + box.height / 2 + y, id })) });
  const zoom = () => active.locator("canvas.picture").evaluate((canvas) => { const { data } = canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1); return data.join("").length + data.slice(0, 400).join(); });
  const before = await zoom();
  await fingers("touchStart", [-40, 0], [40, 0]);
  for (const apart of [50, 70, 90]) await fingers("touchMove", [-apart, 0], [apart, 0]);
  await fingers("touchEnd");
  await page.waitForTimeout(300);
  const pinched = (await zoom()) !== before;
  const window = async () => /W \S+\s+C \S+/.exec(await active.locator(".overlay").innerText())?.[0];
  const narrow = await window();
  await fingers("touchStart", [-40, 0], [40, 0]);
  for (const down of [20, 50, 80]) await fingers("touchMove", [-40, down], [40, down]);
  await fingers("touchEnd");
  await page.waitForTimeout(300);
  const windowed = (await window()) !== narrow;
  await page.setViewportSize({ width: 1440, height: 900 });
  if (wide > 0 || box.height < 300) return `the page is ${wide} too wide, the picture ${box.width} by ${box.height}`;
  return pinched && windowed ? "" : `two fingers apart ${pinched ? "zoom" : "do nothing"}, together ${windowed ? "window" : "do nothing"}`;
});

kit.checks.same_origin = kit.foreign.size === 0 || `asked elsewhere: ${[...kit.foreign]}`;
kit.checks.console = kit.complaints.filter((line) => !line.includes("401")).length === 0 || kit.complaints.find((line) => !line.includes("401"));
await kit.finish();
