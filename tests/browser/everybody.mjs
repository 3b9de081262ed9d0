// Walks through the whole page as people with other eyes and hands do: names of all controls in both languages, contrast as it is painted
// in both themes, the order and the sight of the focus, nothing that moves, a phone and 400 % of zoom, a line that is slow or broken; and
// looks for what must never be there: a request elsewhere, a name, an ID or a birth date in an address, a storage or the console.
//
//   PLAYWRIGHT_DIR=DIR node tests/browser/everybody.mjs BASE_URL TOKEN OUT_DIR

import { open } from "./kit.mjs";
import { contrastAsPainted, signIn, walkControls } from "./parts.mjs";

const [base, token, out] = process.argv.slice(2);
if (!base || !token || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node everybody.mjs BASE_URL TOKEN OUT_DIR");
  process.exit(2);
}
const kit = await open(out);
const { page, check, until } = kit;
const origin = new URL(base).origin;
kit.at(origin);
page.setDefaultTimeout(15_000);
const [asked, said] = [[], []];
page.on("request", (request) => asked.push(request.url(), request.headers().referer ?? ""));
page.on("console", (message) => said.push(message.text()));
page.on("framenavigated", (frame) => asked.push(frame.url()));
await page.addInitScript(() => {
  window.shifts = [];
  new PerformanceObserver((list) => { for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(shift.value); }).observe({ type: "layout-shift", buffered: true });
});

const rows = () => page.locator("table.studies tbody tr[data-address]");
const shifted = () => page.evaluate(() => { const sum = window.shifts.reduce((a, b) => a + b, 0); window.shifts = []; return sum; });
const language = (value) => page.locator(".settings select").first().selectOption(value);
const theme = (value) => page.locator(".settings select").nth(1).selectOption(value);
const toList = async () => { await page.goto(`${base}/#/studies`); await rows().first().waitFor(); };

async function inBothLanguagesAndThemes(judge) {
  for (const [tongue, look] of [["ja", "light"], ["ja", "dark"], ["en", "dark"], ["en", "light"]]) {
    await language(tongue);
    await theme(look);
    await page.waitForTimeout(250);
    const wrong = await judge();
    if (wrong) return `${tongue}, ${look}: ${wrong}`;
  }
  await language("ja");
  return "";
}

await check("sign_in_page", async () => {
  await page.goto(`${base}/`);
  await page.locator("#token").waitFor();
  return inBothLanguagesAndThemes(async () => (await walkControls(page)) || (await contrastAsPainted(page)) || ((await page.locator("#token").evaluate((box) => box === document.activeElement || document.activeElement?.tagName === "SELECT")) ? "" : "the focus is not at the token"));
});

let people = [];
await check("list", async () => {
  await signIn(page, base, token);
  await rows().first().waitFor();
  people = await page.evaluate(async () => (await (await fetch("/search", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{\"limit\":500}" })).json()).studies);
  await page.locator(".search input.words").fill("2026 CT");
  await page.waitForTimeout(600);
  const wrong = await inBothLanguagesAndThemes(async () => (await walkControls(page)) || (await contrastAsPainted(page)));
  await page.getByRole("button", { name: "条件を消す" }).click();
  return wrong;
});

await check("nothing_moves_while_the_list_comes", async () => {
  await page.goto("about:blank");
  await page.goto(`${base}/#/studies`);
  await rows().first().waitFor();
  await page.waitForTimeout(800);
  const sum = await shifted();
  kit.figures.list_shift = sum;
  return sum < 0.05 ? "" : `things moved by ${sum.toFixed(3)}`;
});

// Every stop of the Tab key can be seen, and they come from the top down, as they are read.
await check("focus_goes_in_order_and_is_seen", async () => {
  await toList();
  await page.evaluate(() => document.activeElement?.blur());
  const stops = [];
  for (let press = 0; press < 60; press++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return null;
      const [box, style] = [one.getBoundingClientRect(), getComputedStyle(one)];
      const order = [...document.querySelectorAll("*")].indexOf(one);
      return { what: `${one.tagName} ${one.className}`, order, seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 && box.width > 0, positive: one.tabIndex > 0 };
    });
    if (!stop) break;
    stops.push(stop);
  }
  if (stops.length < 10) return `only ${stops.length} stops`;
  const hidden = stops.find(({ seen }) => !seen);
  if (hidden) return `the focus is not seen at ${hidden.what}`;
  const back = stops.find(({ order, positive }, at) => positive || (at > 0 && order < stops[at - 1].order));
  return back ? `the focus jumps back to ${back.what}` : "";
});

await check("skip_link_leads_to_the_content", async () => {
  await toList();
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.className);
  await page.keyboard.press("Enter");
  const at = await page.evaluate(() => document.activeElement.id);
  return first === "skip" && at === "main" ? "" : `Tab leads to ${first}, Enter to ${at}`;
});

// One study of each kind that there is.
await check("each_kind_of_study", async () => {
  const kinds = new Map();
  for (const study of people) for (const modality of study.ModalitiesInStudy) if (!kinds.has(modality)) kinds.set(modality, study.StudyInstanceUID);
  for (const [modality, study] of kinds) {
    await page.goto(`${base}/#/study/${study}`);
    await page.locator(".card, .strip, [data-kind]").first().waitFor();
    await page.waitForTimeout(900);
    for (const tongue of ["en", "ja"]) {
      await language(tongue);
      await page.waitForTimeout(500);
      const wrong = (await walkControls(page)) || (await contrastAsPainted(page));
      if (wrong) return `${modality}, ${tongue}: ${wrong}`;
    }
  }
  return kinds.size >= 3 ? "" : `only ${kinds.size} kinds were there`;
});

await check("phone_and_four_hundred_per_cent", async () => {
  // 1280 CSS pixels at 400 % are 320 (WCAG 1.4.10).
  for (const [width, height] of [[390, 844], [320, 640]]) {
    await page.setViewportSize({ width, height });
    await toList();
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
    if (wide > 0) return `at ${width} pixels the list is ${wide} wider`;
    await page.screenshot({ path: `${out}/phone_${width}.png` });
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  return "";
});

await check("a_slow_line_is_told", async () => {
  await toList();
  await page.waitForTimeout(500);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 40, downloadThroughput: 40_000, uploadThroughput: 40_000 });
  // Something large enough to tell by, again and again; it is not kept.
  await page.evaluate(async () => {
    const until = performance.now() + 9000;
    for (let at = 0; performance.now() < until; at++) await (await fetch(`/openapi.json?${at}`, { cache: "no-store" })).arrayBuffer();
  });
  const wrong = await until(`the line says ${JSON.stringify(await page.locator(".link").innerText())}`, async () => /回線が遅くなっています：0\.\d Mbit\/s/.test(await page.locator(".link").innerText()), 6000);
  await page.screenshot({ path: `${out}/link_slow.png` });
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await devtools.detach();
  return wrong;
});

await check("a_broken_line_is_told_and_gone_on_with", async () => {
  await toList();
  await page.waitForTimeout(400);
  // The server is gone, though the device has a network.
  await page.route("**/*", (route) => route.abort("connectionrefused"));
  await page.locator(".search input.words").fill("だれか");
  await page.locator(".link", { hasText: "サーバーにつながりません" }).waitFor();
  await page.screenshot({ path: `${out}/link_broken.png` });
  const named = await walkControls(page);
  await page.unroute("**/*");
  const [answer] = await Promise.all([page.waitForResponse((response) => response.url() === `${base}/search`), page.locator(".link", { hasText: "サーバーにつながりました" }).waitFor()]);
  if (!answer.ok()) return `the list asks again and is answered ${answer.status()}`;
  await page.getByText("該当する検査はありません").waitFor();
  await page.getByRole("button", { name: "条件を消す" }).click();
  return named;
});

await check("less_motion", async () => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await toList();
  const moving = await page.evaluate(() => document.getAnimations().length);
  await page.emulateMedia({ reducedMotion: null });
  return moving ? `${moving} animations run` : "";
});

await check("nothing_of_anybody_outside_the_page", async () => {
  const kept = await page.evaluate(async () => {
    const bases = [];
    for (const { name } of await indexedDB.databases()) {
      const base = await new Promise((resolve, reject) => Object.assign(indexedDB.open(name), { onsuccess() { resolve(this.result); }, onerror: reject }));
      for (const store of base.objectStoreNames) bases.push([name, store, await new Promise((resolve) => { base.transaction(store).objectStore(store).getAll().onsuccess = (event) => resolve(event.target.result); })]);
    }
    const names = window.caches ? await Promise.all((await caches.keys()).map(async (name) => [name, (await (await caches.open(name)).keys()).map(({ url }) => url)])) : [];
    return JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), bases, names, document.cookie, history.state]);
  });
  const places = { addresses: asked.map((url) => { try { return decodeURIComponent(url); } catch { return url; } }).join("\n"), storage: kept, console: said.join("\n") };
  for (const { PatientName, PatientID, PatientBirthDate } of people) {
    const words = PatientName.split("=").flatMap((group) => group.split(/[\^ ]/)).filter((word) => [...word].length >= (/^[\x20-\x7e]*$/.test(word) ? 5 : 2));
    for (const [where, text] of Object.entries(places)) {
      for (const own of [...words, PatientID.length >= 6 ? PatientID : "", PatientBirthDate].filter(Boolean)) {
        // Numbers are looked for as words: a UID may hold the digits of a birth date by chance.
        const found = /^\d+$/.test(own) ? new RegExp(`(?<![\\d.])${own}(?![\\d.])`).test(text) : text.toLowerCase().includes(own.toLowerCase());
        if (found) return `${where} tell of a person`;
      }
    }
  }
  return kit.foreign.size ? `asked elsewhere: ${[...kit.foreign]}` : "";
});

const complaints = kit.complaints.filter((text) => !/401|ERR_|net::/.test(text));
kit.checks.console = complaints.length === 0 || complaints[0];
await kit.finish();
