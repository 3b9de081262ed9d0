// OHIF as it is published (npm @ohif/app, nothing of it changed but app-config.js) in a real browser against a running server:
// lists, searches by name, opens a CT and a mammogram, scrolls; is what it draws what the archive itself draws of the same frame,
// and was anything refused?
//
//   PLAYWRIGHT_DIR=/where/npm/put/playwright-core node tests/browser/ohif.mjs ARCHIVE_URL TOKEN OHIF_DIST OUT_DIR
//
// Screenshots go to OUT_DIR; the last line is one JSON object `{ok, checks: {name: true | "what was wrong"}, …}`.

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dicom, likeness, open } from "./kit.mjs";
import { serve } from "./site.mjs";

const [archive, token, dist, out] = process.argv.slice(2);
if (!archive || !token || !dist || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node ohif.mjs ARCHIVE_URL TOKEN OHIF_DIST OUT_DIR");
  process.exit(2);
}
const config = await readFile(join(dirname(fileURLToPath(import.meta.url)), "ohif/app-config.js"), "utf8");
const site = await serve({ archive, folders: [dist], own: { "/app-config.js": ["text/javascript", config.replace("__TOKEN__", token)] } });
const kit = await open(out);
const { page, check, until } = kit;
kit.at(site.url);

const rows = () => page.locator("tbody tr");
const nameBox = () => page.locator("input").first();
let studies = [];

// The study with most instances among those of nothing but `modality`.
const of = (modality) => studies
  .filter((study) => (study["00080061"]?.Value ?? []).join() === modality)
  .sort((a, b) => b["00201208"].Value[0] - a["00201208"].Value[0])[0];
const uid = (item, tag) => item[tag].Value[0];

await check("study_list", async () => {
  await page.goto(`${site.url}/`);
  const late = await until("the archive's studies are not listed", async () => (await rows().count()) > 0);
  if (late) return late;
  studies = await dicom(page, "studies?limit=200");
  const text = await page.locator("body").innerText();
  const names = studies.map((study) => study["00100010"]?.Value?.[0]).filter(Boolean);
  const shown = names.filter((name) => [name.Alphabetic, name.Ideographic].some((one) => one && text.includes(one.split("^")[0])));
  if (shown.length < Math.min(5, names.length)) return `${shown.length} of ${names.length} names are in the list`;
  kit.figures.studies = studies.length;
  return /[一-龠]/.test(text) ? "" : "no name in kanji is in the list";
});


await page.getByText("Confirm and hide").click().catch(() => {});

// One person looked for in the list's own filter. By kanji the archive answers with the right studies, but OHIF shows those only
// whose name as it writes it, in Latin letters, has what was typed; so only by Latin letters the list is looked at.
await check("search", async () => {
  const patient = of("CT")["00100010"].Value[0];
  const [kanji, latin] = [patient.Ideographic, patient.Alphabetic].map((name) => name.split("^")[0]);
  for (const words of [kanji, latin.toLowerCase()]) {
    await nameBox().clear();
    const answered = page.waitForResponse((response) => decodeURIComponent(response.url()).includes(`PatientName=*${words}*`));
    await nameBox().pressSequentially(words);
    const people = (await (await answered).json()).map((study) => study["00100010"].Value[0]);
    if (!people.length || !people.every(({ Ideographic }) => Ideographic?.startsWith(kanji))) return `the archive answers ${words} with ${JSON.stringify(people)}`;
  }
  let names = [];
  const late = await until("nobody is listed", async () => {
    names = (await rows().locator("td:first-child").allInnerTexts()).filter((name) => name.trim() && !name.includes("No studies"));
    return names.length > 0 && names.length < studies.length;
  });
  return late || (names.every((name) => name.includes(latin)) ? "" : `${latin} lists ${names}`);
});

// What the viewports show: [{image: the path of the frame, width of the canvas, …}], from OHIF's own Cornerstone.
const shown = () => page.evaluate(() => {
  const elements = window.cornerstone.getEnabledElements();
  return elements.map(({ viewport }) => ({
    image: viewport.getCurrentImageId?.()?.split("/dicom-web/")[1], at: viewport.getCurrentImageIdIndex?.(), of: viewport.getImageIds?.().length,
  }));
});

// Picture `at` of the page is drawn, and as the archive draws it.
async function drawn(least = 0.95) {
  let seen = {};
  const late = await until("nothing is drawn", async () => {
    const image = (await shown().catch(() => []))[0]?.image;
    if (!image) return false;
    seen = await likeness(page, ".viewport-element canvas", `/dicom-web/${image}/rendered`);
    return seen.correlation > least;
  }, 90_000);
  return late && `${late}: ${JSON.stringify(seen)}`;
}

async function launch(study) {
  await page.goto(`${site.url}/`);
  await rows().first().waitFor();
  const at = studies.findIndex((one) => uid(one, "0020000D") === uid(study, "0020000D"));
  const listed = await rows().evaluateAll((list) => list.map((row) => row.innerText));
  const row = listed.findIndex((text) => text.includes(study["00080050"].Value[0]));
  if (row < 0) throw new Error(`study ${at} is not listed by its accession number`);
  await rows().nth(row).click();
  await page.getByText("Basic Viewer").click();
}

await check("ct", async () => {
  const study = of("CT");
  const began = performance.now();
  await launch(study);
  const wrong = await drawn();
  kit.figures.ct_drawn_ms = Math.round(performance.now() - began);
  if (wrong) return wrong;
  const [first] = await shown();
  return first.of === study["00201208"].Value[0] ? "" : `${first.of} slices of ${study["00201208"].Value[0]} are in the stack`;
});

await check("ct_scroll", async () => {
  const canvas = page.locator(".viewport-element").first();
  await canvas.hover();
  const before = (await shown())[0].at;
  for (let notch = 0; notch < 5; notch++) {
    await page.mouse.wheel(0, 100);
    await page.waitForTimeout(150);
  }
  const moved = await until("", async () => (await shown())[0].at === before + 5, 5_000).then(async () => (await shown())[0].at - before);
  if (moved !== 5) return `five notches lead ${moved} slices on`;
  return drawn();
});

await check("ct_thumbnail", async () => {
  const picture = page.locator("[data-cy=study-browser-thumbnail] img").first();
  return until("the series has no thumbnail", () => picture.evaluate((img) => img.naturalWidth > 16).catch(() => false));
});

await check("mg", async () => {
  const began = performance.now();
  await launch(of("MG"));
  const wrong = await drawn();
  kit.figures.mg_drawn_ms = Math.round(performance.now() - began);
  return wrong;
});

// The way a link from a reporting system takes: no session, the token in the link, which OHIF sends as a bearer token.
await check("link_with_token", async () => {
  await page.context().clearCookies();
  kit.asked.length = 0;
  await page.route("**/session", (route) => route.fulfill({ status: 204 }));
  await page.goto(`${site.url}/viewer?StudyInstanceUIDs=${uid(of("MG"), "0020000D")}&token=${token}`);
  await until("", async () => (await shown().catch(() => [])).some(({ image }) => image));
  const frames = () => kit.asked.filter(({ url }) => url.includes("/frames/"));
  const late = await until("no frame is fetched", async () => frames().length > 0, 90_000);
  return late || (frames().every(({ status, credential }) => status === 200 && credential) ? "" : `frames are answered ${frames().map(({ status }) => status)}`);
});

kit.checks.nothing_refused = kit.refused.length === 0 || kit.refused.slice(0, 5).join("; ");
kit.checks.no_complaints = kit.complaints.length === 0 || kit.complaints.slice(0, 5).join("; ");
kit.checks.same_origin = kit.foreign.size === 0 || `asked elsewhere: ${[...kit.foreign]}`;
site.close();
await kit.finish();
