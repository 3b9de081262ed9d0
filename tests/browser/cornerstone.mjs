// Cornerstone3D against a running server, in both of its progressive modes: a picture is there before all of the frame is, the whole
// one follows, and both are what the archive itself draws of that frame.
//
//   PLAYWRIGHT_DIR=/where/npm/put/them node tests/browser/cornerstone.mjs ARCHIVE_URL TOKEN OUT_DIR
//
// The last line is one JSON object `{ok, checks: {name: true | "what was wrong"}, …}`.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dicom, likeness, module, open } from "./kit.mjs";
import { serve } from "./site.mjs";

const [archive, token, out] = process.argv.slice(2);
if (!archive || !token || !out || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node cornerstone.mjs ARCHIVE_URL TOKEN OUT_DIR");
  process.exit(2);
}
const here = dirname(fileURLToPath(import.meta.url));
const packages = join(process.env.PLAYWRIGHT_DIR, "node_modules");
const built = await mkdtemp(join(tmpdir(), "cornerstone-"));
await module("esbuild").build({
  entryPoints: {
    page: join(here, "cornerstone/page.js"),
    decodeImageFrameWorker: join(packages, "@cornerstonejs/dicom-image-loader/dist/esm/decodeImageFrameWorker.js"),
  },
  bundle: true, format: "esm", target: "es2022", outdir: built, nodePaths: [packages], logLevel: "error",
  // What only node has, and the XML writer of vtk.js as one file for browsers.
  external: ["fs", "path", "module", "crypto"], alias: { xmlbuilder2: join(packages, "xmlbuilder2/lib/xmlbuilder2.min.js") },
});
const PAGE = `<!doctype html><meta charset="utf-8"><title>Cornerstone3D</title><link rel="icon" href="data:,"><style>
  body { background: #333; color: #eee; font: 14px sans-serif; display: grid; grid-template-columns: 1fr 1fr; gap: 8px; margin: 8px }
  p { margin: 0 0 4px } .row canvas { background: #000 } .row > canvas { width: 340px; height: 380px } .viewport { width: 340px; height: 380px; display: inline-block }
</style><script type="module" src="/page.js"></script>`;
// Frames as over a line of about 4 MB/s: on the machine's own loopback nothing is ever half here.
// The rest stays back until the page has drawn what it has, or is not going to.
const hold = async (written) => {
  for (let turn = 0; turn < 100 && written >= 64 * 1024 && !(await page.evaluate(() => window.drawn)); turn++) await new Promise((go) => setTimeout(go, 100));
};
const pace = { path: /\/frames\/\d+$/, chunk_bytes: 32 * 1024, chunk_ms: 8, hold };
const folders = [built, join(packages, "@cornerstonejs/codec-openjph/dist")];
const site = await serve({ archive, folders, own: { "/": ["text/html", PAGE] }, pace });
const kit = await open(out);
const { page, check, until } = kit;
kit.at(site.url);
// What one mode fetched is not to answer the other's Range requests.
await (await page.context().newCDPSession(page)).send("Network.setCacheDisabled", { cacheDisabled: true });

await check("sign_in", async () => {
  await page.goto(`${site.url}/`);
  const status = await page.evaluate(async (token) => {
    const headers = { "Content-Type": "application/json" };
    return (await fetch("/session", { method: "POST", headers, body: JSON.stringify({ token }) })).status;
  }, token);
  return status === 204 ? await until("the page does not start", () => page.evaluate(() => window.ready === true)) : `POST /session is answered ${status}`;
});

// The largest single-frame instance of this modality: its path and its metadata.
async function largest(modality) {
  let best = null;
  for (const study of await dicom(page, `studies?ModalitiesInStudy=${modality}`)) {
    const uid = study["0020000D"].Value[0];
    for (const metadata of await dicom(page, `studies/${uid}/metadata`)) {
      const size = (metadata["00280010"]?.Value?.[0] ?? 0) * (metadata["00280011"]?.Value?.[0] ?? 0);
      const [series, sop] = [metadata["0020000E"].Value[0], metadata["00080018"].Value[0]];
      if (metadata["00080060"].Value[0] !== modality || (metadata["00280008"]?.Value?.[0] ?? 1) > 1 || size <= (best?.size ?? 0)) continue;
      best = { size, metadata, path: `/dicom-web/studies/${uid}/series/${series}/instances/${sop}/frames/1` };
    }
  }
  if (!best) throw new Error(`there is no ${modality} image`);
  return best;
}

for (const modality of ["CT", "MG"]) {
  const image = await largest(modality);
  for (const mode of ["streaming", "range"]) {
    const name = `${modality.toLowerCase()}_${mode}`;
    await check(name, async () => {
      kit.asked.length = 0;
      const seen = await page.evaluate((run) => window.show(...run), [name, mode, `${site.url}${image.path}`, image.metadata]);
      const frames = kit.asked.filter(({ url }) => url.endsWith(image.path));
      kit.figures[name] = { seen, requests: frames.map(({ status, range }) => `${status} ${range ?? ""}`.trim()) };
      if (seen.at(-1)?.quality !== "FULL_RESOLUTION") return `the whole picture does not come: ${JSON.stringify(kit.figures[name])}`;
      if (seen.length < 2) return `nothing is shown before all is here: ${JSON.stringify(kit.figures[name])}`;
      if (mode === "range" && !(frames.length === 2 && frames.every(({ status, range }) => status === 206 && range))) return `Range requests are answered ${kit.figures[name].requests}`;
      const [first, whole] = [await likeness(page, `.row:has(#${name}) > canvas`, `${image.path}/rendered`), await likeness(page, `#${name} canvas`, `${image.path}/rendered`)];
      Object.assign(kit.figures[name], { first: first.correlation, whole: whole.correlation });
      return first.correlation > 0.9 && whole.correlation > 0.95 ? "" : `drawn otherwise than by the archive: first ${JSON.stringify(first)}, whole ${JSON.stringify(whole)}`;
    });
  }
}

await page.screenshot({ path: join(out, "all.png"), fullPage: true });
kit.checks.nothing_refused = kit.refused.length === 0 || kit.refused.slice(0, 5).join("; ");
kit.checks.no_complaints = kit.complaints.length === 0 || kit.complaints.slice(0, 5).join("; ");
kit.checks.same_origin = kit.foreign.size === 0 || `asked elsewhere: ${[...kit.foreign]}`;
site.close();
await rm(built, { recursive: true, force: true });
await kit.finish();
