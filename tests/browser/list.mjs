// Drives the study list in a real browser: what is typed finds whom the archive says, chips take it back, columns sort, ten thousand rows
// scroll, what is new since the last visit is marked, the keyboard goes all the way, in both languages, on a desk and on a phone.
//
//   PLAYWRIGHT_DIR=DIR node tests/browser/list.mjs BASE_URL TOKEN OUT_DIR
//
// The last line is `{ok, checks, milliseconds, figures, refused, complaints}`. Rows by the thousand are answered by this script in place
// of the server, so that the archive may be a small one.

import { open } from "./kit.mjs";
import { signIn, walkControls } from "./parts.mjs";

const [base, token, out] = process.argv.slice(2);
if (!base || !token || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node list.mjs BASE_URL TOKEN OUT_DIR");
  process.exit(2);
}
const kit = await open(out);
const { page, check, until } = kit;
kit.at(new URL(base).origin);
page.setDefaultTimeout(15_000);
const addresses = [];
page.on("request", (request) => addresses.push(`${request.url()} ${JSON.stringify(request.headers())}`));
const said = [];
page.on("console", (message) => said.push(message.text()));

const rows = () => page.locator("table.studies tbody tr[data-address]");
const words = page.locator(".search input.words");
const chips = () => page.locator(".chip").allInnerTexts();
const total = async () => Number(/([\d,]+)\s*件|of ([\d,]+)/.exec(await page.locator(".list-status").innerText())?.slice(1).find(Boolean)?.replaceAll(",", "") ?? 0);
const column = (name) => rows().evaluateAll((list, name) => list.map((row) => row.querySelector(`.c-${name}`).innerText.trim()), name);

async function asks(act) {
  const [answer] = await Promise.all([page.waitForResponse((response) => response.url() === `${base}/search` && response.request().postDataJSON().limit > 0), act()]);
  await page.waitForTimeout(200);
  return answer.json();
}

// Every study, as the archive itself tells it.
async function everybody() {
  return page.evaluate(async () => {
    const all = [];
    for (let offset = 0; ; offset += 500) {
      const answer = await fetch("/search", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ limit: 500, offset }) });
      const { studies } = await answer.json();
      all.push(...studies);
      if (studies.length < 500) return all;
    }
  });
}

let people = [];
await check("list_opens", async () => {
  await signIn(page, base, token);
  await rows().first().waitFor();
  people = await everybody();
  return (await total()) === people.length ? "" : `the list says ${await total()} of ${people.length} studies`;
});

const familyOf = () => people.find(({ PatientName }) => PatientName.split("=").length === 3 && PatientName.includes("山田")) ?? people.find(({ PatientName }) => PatientName.split("=").filter(Boolean).length === 3);

await check("one_person_in_each_script", async () => {
  const person = familyOf();
  if (!person) return "nobody has a name in three scripts";
  const [romaji, kanji, kana] = person.PatientName.split("=").map((group) => group.split("^")[0]);
  const katakana = kana.replace(/[ぁ-ゖ]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 0x60));
  const expected = people.filter(({ PatientName }) => PatientName.split("=").some((group) => group.startsWith(`${kanji}^`))).length;
  for (const typed of [kanji, kana, katakana, romaji.toLowerCase(), romaji.toUpperCase()]) {
    const answer = await asks(() => words.fill(typed));
    const found = answer.studies.filter(({ PatientName }) => PatientName.includes(kanji)).length;
    if (found !== expected) return `${typed} finds ${found} of ${expected}`;
    if ((await chips()).length !== 1) return `${typed} makes ${(await chips()).length} chips`;
  }
  return "";
});

await check("birth_date_in_each_form", async () => {
  const person = people.find(({ PatientBirthDate }) => /^19(2[7-9]|[3-8]\d)/.test(PatientBirthDate) && Number(PatientBirthDate) < 19890108);
  if (!person) return "nobody was born in Showa";
  const [year, month, date] = [person.PatientBirthDate.slice(0, 4), person.PatientBirthDate.slice(4, 6), person.PatientBirthDate.slice(6)];
  const expected = people.filter(({ PatientBirthDate, StudyDate }) => [PatientBirthDate, StudyDate].includes(person.PatientBirthDate)).length;
  for (const typed of [`${year}-${month}-${date}`, person.PatientBirthDate, `昭和${year - 1925}年${+month}月${+date}日`, `S${year - 1925}.${+month}.${+date}`]) {
    const answer = await asks(() => words.fill(typed));
    if (answer.total !== expected) return `${typed.replace(/\d/g, "9")} finds ${answer.total} of ${expected}`;
    if (!(await chips())[0].includes(`${year}-${month}-${date}`)) return `the chip says ${(await chips())[0].length} characters, not the day`;
  }
  return "";
});

await check("words_combine_and_chips_take_back", async () => {
  const person = familyOf();
  const kanji = person.PatientName.split("=")[1].split("^")[0];
  await asks(() => words.fill(`${kanji} ${person.ModalitiesInStudy[0]} ${person.StudyDate}`));
  if ((await chips()).length !== 3 || !(await total())) return `${(await chips()).length} chips, ${await total()} studies`;
  const narrow = await total();
  await asks(() => page.locator(".chip").nth(2).click());
  await asks(() => page.locator(".chip").nth(1).click());
  if ((await words.inputValue()) !== kanji) return "taking chips away leaves something else in the field";
  if ((await total()) < narrow) return `fewer studies after taking conditions away: ${await total()}`;
  const id = await asks(() => words.fill(person.PatientID));
  if (!id.studies.some(({ StudyInstanceUID }) => StudyInstanceUID === person.StudyInstanceUID)) return "the Patient ID does not find the study";
  const part = await asks(() => words.fill(`id:${person.PatientID.slice(2)}`));
  if (!part.studies.some(({ StudyInstanceUID }) => StudyInstanceUID === person.StudyInstanceUID)) return "a part of the Patient ID does not find the study";
  if (person.AccessionNumber) {
    const accession = await asks(() => words.fill(person.AccessionNumber));
    if (!accession.studies.some(({ StudyInstanceUID }) => StudyInstanceUID === person.StudyInstanceUID)) return "the Accession Number does not find the study";
  }
  const centre = await asks(() => words.fill(`施設:${person.centre}`));
  if (centre.total !== people.filter((one) => one.centre === person.centre).length) return `the centre finds ${centre.total}`;
  const none = await asks(() => words.fill("だれでもない"));
  await page.getByText("該当する検査はありません").waitFor();
  await asks(() => page.getByRole("button", { name: "条件を消す" }).click());
  return none.total === 0 && (await total()) === people.length ? "" : `clearing leads to ${await total()} studies`;
});

await check("columns_sort", async () => {
  for (const [name, style] of [["患者ID", "id"], ["画像", "images"], ["検査日", "date .number:first-child"]]) {
    await asks(() => page.getByRole("button", { name: `${name}で並べ替え` }).click());
    const first = await page.locator(`th.c-${style.split(" ")[0]}`).getAttribute("aria-sort");
    const one = await column(style);
    await asks(() => page.getByRole("button", { name: `${name}で並べ替え` }).click());
    const second = await page.locator(`th.c-${style.split(" ")[0]}`).getAttribute("aria-sort");
    if (first === second || ![first, second].every((sort) => ["ascending", "descending"].includes(sort))) return `${name}: ${first}, then ${second}`;
    const key = style === "images" ? (text) => Number(text.replaceAll(",", "")) : (text) => text;
    const check = (values, direction) => values.map(key).every((value, at, all) => at === 0 || (direction === "ascending" ? all[at - 1] <= value : all[at - 1] >= value));
    if (!check(one, first)) return `${name} ${first} is not in order`;
  }
  return "";
});

await check("keyboard_all_the_way", async () => {
  await page.locator("body").click({ position: { x: 5, y: 5 } });
  await page.keyboard.press("/");
  if (!(await words.evaluate((box) => box === document.activeElement))) return "/ does not lead to the search field";
  await asks(() => page.keyboard.type("2026"));
  await asks(() => words.fill(""));
  await page.keyboard.press("ArrowDown");
  const index = () => page.evaluate(() => Number(document.activeElement.dataset?.index ?? -1));
  if ((await index()) !== 0) return `ArrowDown leads to row ${await index()}`;
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
  const last = people.length - 1;
  const wrong = await until(`End leads to row ${await index()} of ${last}`, async () => (await index()) === last, 5000);
  if (wrong) return wrong;
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  if ((await index()) !== 1) return `Home and ArrowDown lead to row ${await index()}`;
  const address = await rows().nth(1).getAttribute("data-address");
  await page.keyboard.press("Enter");
  await page.waitForFunction((address) => location.hash === address, address);
  await page.goBack();
  await rows().first().waitFor();
  return (await page.evaluate(() => document.querySelector("tr.chosen")?.dataset.index)) === "1" ? "" : "the list has lost its place";
});

// Ten thousand studies in place of the archive's own.
const MANY = 10_000;
async function many(route) {
  const asked = route.request().postDataJSON();
  const studies = Array.from({ length: Math.max(0, Math.min(asked.limit, MANY - asked.offset)) }, (_, at) => {
    const n = asked.offset + at;
    return { StudyInstanceUID: `1.2.3.${n}`, PatientName: `Row^${n}=行^${n}`, PatientID: String(n), PatientBirthDate: "19600229", PatientSex: "F", StudyDate: "20261101", StudyTime: "0900", AccessionNumber: "", StudyDescription: "", ModalitiesInStudy: ["CT"], NumberOfStudyRelatedSeries: 1, NumberOfStudyRelatedInstances: 9, centre: "x", received_at: "2026-11-01T00:00:00Z", first_sequence: n, last_sequence: n, waits: false, priors: 0 };
  });
  await route.fulfill({ json: { studies, total: MANY, complete: true, last_sequence: MANY } });
}

await check("ten_thousand_rows_scroll", async () => {
  await page.route("**/search", many);
  await asks(() => words.fill("many"));
  await page.evaluate(() => {
    window.frames_ms = [];
    window.shifts = 0;
    new PerformanceObserver((list) => { for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts += shift.value; }).observe({ type: "layout-shift" });
    let last = performance.now();
    const tick = (now) => { window.frames_ms.push(now - last); last = now; window.ticking = requestAnimationFrame(tick); };
    window.ticking = requestAnimationFrame(tick);
  });
  const drawn = await page.evaluate(async () => {
    const box = document.querySelector(".table-box");
    const marks = [];
    // 200 rows a frame, from top to bottom and back to the middle.
    for (let top = 0; top <= box.scrollHeight; top += 34 * 200) {
      box.scrollTop = top;
      const begin = performance.now();
      box.dispatchEvent(new Event("scroll"));
      marks.push(performance.now() - begin);
      await new Promise(requestAnimationFrame);
    }
    box.scrollTop = 34 * 5000;
    cancelAnimationFrame(window.ticking);
    return marks;
  });
  const numbers = () => rows().evaluateAll((list) => list.map((row) => Number(row.dataset.index)));
  const wrong = await until("row 5000 does not come", async () => (await numbers()).includes(5005), 5000);
  if (wrong) return wrong;
  const names = await rows().evaluateAll((list) => list.every((row) => row.querySelector(".name").innerText.includes(row.dataset.index)));
  const elements = await page.locator("table.studies tbody tr").count();
  const frames = await page.evaluate(() => window.frames_ms.slice(1).sort((a, b) => a - b));
  drawn.sort((a, b) => a - b);
  kit.figures.rows = { draw_ms_p50: +drawn[Math.floor(drawn.length / 2)].toFixed(1), draw_ms_max: +drawn.at(-1).toFixed(1), frame_ms_p95: +frames[Math.floor(frames.length * 0.95)].toFixed(1), elements, shifts: await page.evaluate(() => window.shifts) };
  await page.unroute("**/search", many);
  await asks(() => words.fill(""));
  if (!names) return "a row shows another study than its number";
  if (elements > 120) return `${elements} rows are in the document`;
  // A third of a frame where the machine is free; the bound is for one that does other things, too.
  if (kit.figures.rows.draw_ms_p50 > 33) return `half of the draws take more than ${kit.figures.rows.draw_ms_p50} ms`;
  return kit.figures.rows.shifts > 0.02 ? `things moved by ${kit.figures.rows.shifts}` : "";
});

await check("new_since_the_last_visit", async () => {
  const seen = await page.evaluate(() => localStorage.getItem("tsunagu.listSeen"));
  if (!/^\d+$/.test(seen ?? "")) return `the browser remembers ${seen}`;
  // As if the last visit had ended before the newest studies came.
  const sequences = people.map(({ first_sequence }) => first_sequence).sort((a, b) => b - a);
  const before = sequences[Math.min(3, sequences.length - 1)];
  const expected = people.filter(({ last_sequence }) => last_sequence > before);
  await page.evaluate((before) => { localStorage.setItem("tsunagu.listSeen", String(before)); sessionStorage.clear(); }, before);
  await page.goto("about:blank");
  await page.goto(`${base}/#/studies`);
  await rows().first().waitFor();
  await page.getByRole("button", { name: `新着のみ（${expected.length}）` }).waitFor();
  const answer = await asks(() => page.getByRole("button", { name: /新着のみ/ }).click());
  if (answer.total !== expected.length) return `${answer.total} of ${expected.length} are new`;
  const marked = await rows().evaluateAll((list) => list.filter((row) => row.classList.contains("fresh")).length);
  if (marked !== expected.length) return `${marked} of ${expected.length} are marked as new`;
  await asks(() => page.getByRole("button", { name: "条件を消す" }).click());
  await page.reload();
  await rows().first().waitFor();
  const still = await page.evaluate(() => document.querySelectorAll("tr.fresh").length);
  if (!still) return "after loading again nothing is new any more";
  await page.evaluate(() => sessionStorage.clear());
  await page.goto("about:blank");
  await page.goto(`${base}/#/studies`);
  await rows().first().waitFor();
  await page.waitForTimeout(300);
  const later = await page.evaluate(() => document.querySelectorAll("tr.fresh").length);
  return later === 0 ? "" : `at the next visit ${later} are still new`;
});

await check("english_dark", async () => {
  await page.locator(".settings select").first().selectOption("en");
  await rows().first().waitFor();
  await page.locator(".settings select").nth(1).selectOption("dark");
  const heads = await page.locator("table.studies thead").innerText();
  return heads.includes("Patient") && !/[一-龠ぁ-ん]/.test(heads) ? "" : `the head says ${heads}`;
});

await check("every_control_has_a_name_in_english", async () => walkControls(page));
await check("every_control_has_a_name_in_japanese", async () => {
  await page.locator(".settings select").first().selectOption("ja");
  await rows().first().waitFor();
  return walkControls(page);
});

await check("light", async () => {
  await page.locator(".settings select").nth(1).selectOption("light");
  await page.waitForTimeout(200);
});

await check("phone", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(400);
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  if (wide > 0) return `the list is ${wide} pixels wider than the phone`;
  const box = await rows().first().boundingBox();
  if (Math.abs(box.height - 86) > 1) return `a card is ${box.height} pixels high`;
  const small = await page.locator(".list button:visible, .list select:visible, .list input:visible").evaluateAll((list) => list.map((one) => [one.innerText || one.tagName, one.getBoundingClientRect().height]).filter(([, height]) => height < 32));
  return small.length ? `too small to touch: ${small.join(", ")}` : "";
});

await check("nothing_of_anybody_outside_the_page", async () => {
  const kept = await page.evaluate(async () => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), (await indexedDB.databases()).map(({ name }) => name), await caches?.keys?.().catch(() => [])]));
  const person = familyOf();
  const [romaji, kanji, kana] = person.PatientName.split("=").map((group) => group.split("^")[0]);
  const places = { addresses: decodeURIComponent(addresses.join("\n").replace(/%(?![0-9A-Fa-f]{2})/g, "%25")), kept, console: said.join("\n"), history: page.url() };
  for (const [where, text] of Object.entries(places)) {
    for (const private_ of [kanji, kana, romaji, person.PatientID, person.PatientBirthDate, `${person.PatientBirthDate.slice(0, 4)}-${person.PatientBirthDate.slice(4, 6)}`]) {
      if (text.toLowerCase().includes(private_.toLowerCase())) return `${where} tell of a person`;
    }
  }
  return kit.foreign.size ? `asked elsewhere: ${[...kit.foreign]}` : "";
});

kit.checks.console = kit.complaints.filter((text) => !text.includes("401")).length === 0 || kit.complaints[0];
await kit.finish();
