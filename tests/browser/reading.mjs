// ECG mode in a real browser: a scripted reader reads N ECGs by keyboard through two reloads and a cut link; no verdict may be lost or
// counted twice; key press to next trace at most 50 ms. Then undo, findings, text with an input method, urgent, adjudication, English.
//
//   PLAYWRIGHT_DIR=/where/playwright-core/is node tests/browser/reading.mjs BASE_URL SIGN_IN OUT_DIR [--count 60] [--pace 400] [--real]
//
// BASE_URL is a server whose archive holds ECGs. Without --real the Reading API is answered by tests/browser/reading-fake.mjs in front of it; with it
// by the server itself, whose SIGN_IN must then administer and read. --pace is the reader's milliseconds an ECG. CHROMIUM as in smoke.mjs.

import { parseArgs } from "node:util";
import { PLAIN_FLAGS, open } from "./kit.mjs";
import { fakeReading } from "./reading-fake.mjs";

const { values: option, positionals: [base, signIn, out] } = parseArgs({ allowPositionals: true, options: { count: { type: "string", default: "60" }, pace: { type: "string", default: "400" }, real: { type: "boolean", default: false } } });
if (!base || !signIn || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node reading.mjs BASE_URL SIGN_IN OUT_DIR [--count N] [--pace MS] [--real]");
  process.exit(2);
}
const [COUNT, PACE_MS, KEY_MS_MAX] = [Number(option.count), Number(option.pace), 50];
const kit = await open(out, PLAIN_FLAGS);
const { page, check, until } = kit;
const headers = { Authorization: `Bearer ${signIn}`, Accept: "application/dicom+json" };
const dicom = async (path) => { const answer = await fetch(`${base}/dicom-web/${path}`, { headers }); return answer.status === 204 ? [] : answer.json(); };
const value = (row, tag) => row[tag]?.Value?.[0];

async function instances() {
  const found = [];
  for (const study of await dicom("studies?ModalitiesInStudy=ECG&limit=30")) {
    const uid = value(study, "0020000D");
    for (const series of await dicom(`studies/${uid}/series?Modality=ECG`)) {
      const [one] = await dicom(`studies/${uid}/series/${value(series, "0020000E")}/instances?limit=1`);
      if (one) found.push({ study: uid, series: value(series, "0020000E"), instance: value(one, "00080018"), date: value(study, "00080020") });
    }
  }
  return found;
}

const fake = option.real ? null : await fakeReading(base, await instances(), COUNT + 12);
const origin = fake?.url ?? base;
kit.at(origin);

async function api(path, body) {
  const answer = await fetch(`${base}/reading${path}`, { method: body ? "POST" : "GET", headers: { Authorization: `Bearer ${signIn}`, "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
  return answer.json();
}

const ready = () => page.locator(".reading-pane canvas.paper").first().waitFor();
const waiting = async () => Number(await page.locator(".reading-sent").getAttribute("data-waiting"));
const painted = () => page.evaluate(() => performance.getEntriesByName("tsunagu:ecg-painted").length);
const kept = () => page.evaluate(() => new Promise((resolve, reject) => {
  const opening = indexedDB.open("tsunagu-reading", 1);
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => { const all = opening.result.transaction("waiting").objectStore("waiting").getAll(); all.onsuccess = () => { resolve(all.result); opening.result.close(); }; };
}));
let worklist = "w1";

// Reads one: looks for `PACE_MS`, presses, waits for the next trace. The verdicts go round.
async function readOne(at) {
  const before = await painted();
  await page.waitForTimeout(PACE_MS);
  await page.keyboard.press(String((at % 3) + 1));
  const late = await until(`after ECG ${at + 1} no next trace comes`, async () => (await painted()) > before, 20_000);
  if (late) throw new Error(late);
}

// Milliseconds from each key to its trace, of this load of the page.
const keyTimes = () => page.evaluate(() => {
  const [painted, kept] = ["tsunagu:ecg-painted", "tsunagu:ecg-kept"].map((name) => performance.getEntriesByName(name).map(({ startTime }) => startTime));
  const after = (list, from) => list.find((time) => time > from) - from;
  return performance.getEntriesByName("tsunagu:ecg-key").map(({ startTime }) => ({ trace: after(painted, startTime), kept: after(kept, startTime) })).filter(({ trace }) => Number.isFinite(trace));
});

await check("reading_list", async () => {
  await page.goto(`${origin}/`);
  await page.locator("#token").fill(signIn);
  await page.locator("form.sign-in button").click();
  await page.locator("table.studies tbody tr[data-address]").first().waitFor();
  if (option.real) worklist = (await api("/worklists", { name: "試験", modality: "ECG", double: "none" })).id;
  await page.goto(`${origin}/#/reading`);
  await page.locator(`tr[data-address="#/reading/${worklist}"]`).waitFor();
});

const times = [];
await check("reading_many", async () => {
  await page.goto(`${origin}/#/reading/${worklist}`);
  await ready();
  const cutAt = Math.floor(COUNT / 2);
  const reloads = [Math.floor(COUNT / 4), Math.floor((COUNT * 3) / 4)];
  for (let at = 0; at < COUNT; at++) {
    if (fake && at === reloads[0]) fake.book.cutAfter = 1;
    if (at === cutAt) await page.context().setOffline(true);
    await readOne(at);
    if (at === cutAt + 2) {
      const wrong = await until("the page does not say that verdicts wait", async () => (await waiting()) >= 3, 5000);
      if (wrong) return wrong;
      if ((await kept()).length < 3) return `only ${(await kept()).length} verdicts are on the disk while the link is cut`;
      await page.screenshot({ path: `${out}/reading_cut.png` });
      await page.context().setOffline(false);
    }
    if (reloads.includes(at + 1)) {
      times.push(...(await keyTimes()));
      await page.reload();
      await ready();
    }
  }
  times.push(...(await keyTimes()));
  return until("verdicts still wait at the end", async () => (await waiting()) === 0, 30_000);
});

await check("none_lost", async () => {
  const left = await kept();
  if (left.length) return `${left.length} verdicts are still on the disk`;
  if (!fake) {
    const { worklists } = await api("/worklists");
    const mine = worklists.find(({ id }) => id === worklist)?.mine;
    return mine === COUNT ? "" : `the server has ${mine} verdicts of ${COUNT}`;
  }
  const { saved, order, repeated } = fake.book;
  kit.figures.sent_again = repeated;
  if (saved.size !== COUNT || new Set(order).size !== COUNT) return `${saved.size} verdicts of ${new Set(order).size} ECGs instead of ${COUNT}`;
  return order.every((item, at) => item === `i${at}`) ? "" : "they did not arrive in order";
});

await check("key_to_trace", async () => {
  const sorted = times.map(({ trace }) => trace).toSorted((one, other) => one - other);
  const round = (ms) => Math.round(ms * 10) / 10;
  const median = sorted[Math.floor(sorted.length / 2)];
  const kept_ms = times.map(({ kept }) => kept).toSorted((one, other) => one - other)[Math.floor(times.length / 2)];
  Object.assign(kit.figures, { keys: sorted.length, key_to_trace_ms_median: round(median), key_to_trace_ms_p95: round(sorted[Math.floor(sorted.length * 0.95)]), key_to_trace_ms_max: round(sorted.at(-1)), key_to_disk_ms_median: round(kept_ms),
    over_50_ms: sorted.filter((ms) => ms > KEY_MS_MAX).length, slowest: times.toSorted((one, other) => other.trace - one.trace).slice(0, 4).map(({ trace, kept }) => `${round(trace)} (disk ${round(kept)})`) });
  if (sorted.length < COUNT * 0.9) return `only ${sorted.length} of ${COUNT} keys were measured`;
  return median <= KEY_MS_MAX ? "" : `the median is ${median.toFixed(1)} ms`;
});

const last = () => [...fake.book.saved.values()].at(-1);

await check("undo_and_findings", async () => {
  await readOne(0);
  await until("", async () => (await waiting()) === 0, 10_000);
  const item = await page.evaluate(() => document.querySelector(".reading-pane .number")?.textContent);
  await page.waitForTimeout(250);
  await page.keyboard.press("z");
  await page.locator(".reading-say", { hasText: "取り消しました" }).waitFor();
  await page.keyboard.press("f");
  await page.keyboard.type("wpw");
  await page.locator(".reading-codes [role=option]").first().waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  // An input method: its keys come as keyCode 229 and must not be verdicts, not even its Enter.
  await page.keyboard.press("n");
  const before = await painted();
  const typing = await page.context().newCDPSession(page);
  await typing.send("Input.imeSetComposition", { text: "でるた1", selectionStart: 4, selectionEnd: 4 });
  await typing.send("Input.dispatchKeyEvent", { type: "rawKeyDown", windowsVirtualKeyCode: 229, key: "Process", code: "Digit1" });
  await typing.send("Input.insertText", { text: "デルタ波1" });
  if ((await painted()) !== before) return "a key of the input method gave a verdict";
  await page.keyboard.press("Escape");
  await page.keyboard.press("u");
  await page.waitForTimeout(200);
  await page.keyboard.press("1");
  await page.locator(".reading-say", { hasText: "緊急" }).waitFor();
  if ((await painted()) !== before) return "an urgent ECG could be called normal";
  await page.screenshot({ path: `${out}/reading_findings.png` });
  await page.keyboard.press("3");
  await until("", async () => (await painted()) > before, 5000);
  const wrong = await until("the verdict is not sent", async () => (await waiting()) === 0, 10_000);
  if (wrong || !fake) return wrong;
  const { verdict, findings, text, urgent } = last();
  const said = JSON.stringify([verdict, findings, text, urgent, fake.book.undone.size, Boolean(item)]);
  return said === JSON.stringify(["refer", ["5-3"], "デルタ波1", true, 1, true]) ? "" : `the server has ${said}`;
});

await check("held_key_and_calipers", async () => {
  await page.waitForTimeout(250);
  const before = await painted();
  await page.keyboard.down("1");
  for (let at = 0; at < 6; at++) await page.keyboard.down("1");
  await page.keyboard.up("1");
  await page.waitForTimeout(400);
  if ((await painted()) !== before + 1) return `a key held down gave ${(await painted()) - before} verdicts`;
  await page.keyboard.press("c");
  for (const key of ["ArrowRight", "Shift+ArrowRight", "q", "t", "r", "m"]) await page.keyboard.press(key);
  const own = await page.locator(".own").innerText();
  await page.screenshot({ path: `${out}/reading_calipers.png` });
  await page.keyboard.press("Escape");
  return /QRS/.test(own) && /QTcF/.test(own) ? "" : `own measurements say ${own}`;
});

// Nothing that says who was read is in the browser's storage or in the address.
await check("storage_holds_no_person", async () => {
  const seen = await page.evaluate(() => [location.href, ...[localStorage, sessionStorage].flatMap((store) => Object.entries(store).flat())].join("\n"));
  const records = JSON.stringify(await kept());
  const people = (await dicom("studies?ModalitiesInStudy=ECG&limit=200")).flatMap((row) => [value(row, "00100020"), ...Object.values(value(row, "00100010") ?? {}), value(row, "00100030"), value(row, "0020000D")]);
  const found = people.filter((word) => word && String(word).length > 3 && (seen.includes(word) || records.includes(word)));
  return found.length ? `${found.length} names, IDs or UIDs are kept in the browser` : "";
});

if (fake) {
  await check("adjudication", async () => {
    await page.goto(`${origin}/#/reading/w1/adjudication`);
    await page.locator(".reading-verdicts").waitFor();
    const both = await page.locator(".reading-verdicts").innerText();
    if (!/異常なし/.test(both) || !/要受診/.test(both) || !/デルタ波/.test(both)) return `the two verdicts read ${both}`;
    await page.screenshot({ path: `${out}/reading_adjudication.png` });
    await page.waitForTimeout(250);
    await page.keyboard.press("2");
    await page.getByText("読む心電図はありません").waitFor();
    await until("", async () => (await waiting()) === 0, 10_000);
    return last().stage === "adjudication" && last().verdict === "follow-up" ? "" : `the server has ${JSON.stringify(last())}`;
  });
}

await check("english_dark", async () => {
  await page.locator(".settings select").first().selectOption("en");
  await page.locator(".settings select").nth(1).selectOption("dark");
  await page.goto(`${origin}/#/reading/${worklist}`);
  await ready();
  await page.keyboard.press("?");
  await page.locator("dialog.reading-help").waitFor();
  await page.screenshot({ path: `${out}/reading_help.png` });
  await page.keyboard.press("Escape");
  const words = await page.locator(".reading-mode").evaluate((mode) => [...mode.querySelectorAll(".reading-status, .reading-tools, .reading-buttons, .reading-form")].map((one) => one.innerText).join(" "));
  return /[一-龠ぁ-ん]/.test(words) ? `English still says ${/[一-龠ぁ-ん].{0,20}/.exec(words)[0]}` : "";
});

kit.complaints = kit.complaints.filter((line) => !/ERR_INTERNET_DISCONNECTED|ERR_EMPTY_RESPONSE|ERR_CONNECTION|401/.test(line));
kit.checks.console = kit.complaints.length === 0 || kit.complaints[0];
kit.checks.same_origin = kit.foreign.size === 0 || `asked elsewhere: ${[...kit.foreign]}`;
fake?.close();
await kit.finish();
