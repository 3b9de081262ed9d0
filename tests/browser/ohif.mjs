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

const CANVAS = "[data-cy=viewport-grid] canvas, .cornerstone-canvas, .viewport-element canvas";
const rows = () => page.locator("[data-cy^='studyRow'], [data-cy=study-list-results] tr, table tbody tr");
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

console.error(await page.locator("body").innerText());
await kit.finish();
