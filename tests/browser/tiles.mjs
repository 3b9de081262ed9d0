// Opens pictures in OpenSeadragon from their info.json against a running server, waits for the tiles, and compares what is on
// the canvas with what the server draws whole.
//
//   PLAYWRIGHT_DIR=… OPENSEADRAGON_DIR=… node tests/browser/tiles.mjs BASE_URL TOKEN OUT_DIR PICTURES
//
// PICTURES is JSON: [{name, id, parts: [{url, x, y, width, height}]}], each part a picture by the server of that place of the
// image. The last line is one JSON object `{ok, checks: {name: true | "what was wrong"}}`; screenshots go to OUT_DIR.

import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [base, token, out, given] = process.argv.slice(2);
if (!base || !token || !out || !given || !process.env.PLAYWRIGHT_DIR || !process.env.OPENSEADRAGON_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR OPENSEADRAGON_DIR=DIR node tiles.mjs BASE_URL TOKEN OUT_DIR PICTURES");
  process.exit(2);
}
const require = createRequire(join(process.env.PLAYWRIGHT_DIR, "/"));
const { chromium } = require("playwright-core");
const script = join(process.env.OPENSEADRAGON_DIR, "node_modules/openseadragon/build/openseadragon/openseadragon.min.js");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
// Mean difference of grey that scaling and JPEG may make, of 255.
const DIFFERENCE_MAX = 8;

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
// The page is ours and lets in no foreign script: here one is put into it.
const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, bypassCSP: true });
const page = await context.newPage();
page.setDefaultTimeout(60_000);
const failed = [];
page.on("response", (response) => {
  if (response.url().includes("/iiif/") && !response.ok()) failed.push(`${response.status()} ${response.url()}`);
});
await page.goto(`${base}/`);
const signedIn = await page.evaluate(async (token) => {
  const headers = { "Content-Type": "application/json" };
  return (await fetch("/session", { method: "POST", headers, body: JSON.stringify({ token }) })).status;
}, token);
if (signedIn !== 204) throw new Error(`signing in is answered ${signedIn}`);
await page.evaluate(() => { document.body.innerHTML = '<div id="osd" style="position:fixed;inset:0;background:#456"></div>'; });
await page.addScriptTag({ path: script });

// Opens a picture, waits until every tile of the view is there.
async function open(id) {
  await page.evaluate(async (url) => {
    window.viewer?.destroy();
    const options = { id: "osd", tileSources: url, drawer: "canvas", showNavigationControl: false, animationTime: 0, immediateRender: true };
    window.viewer = OpenSeadragon(options);
    await new Promise((done, fail) => {
      viewer.addHandler("open", done);
      viewer.addHandler("open-failed", (event) => fail(new Error(event.message)));
    });
  }, `${base}/iiif/${id}/info.json`);
  await settled();
}

async function settled() {
  await page.waitForTimeout(200);
  await page.waitForFunction(() => viewer.world.getItemAt(0).getFullyLoaded());
  await page.waitForTimeout(300);
}

// Mean difference between what is on the canvas and the parts as the server draws them, at points over all that is in view.
function difference(parts) {
  return page.evaluate(async (parts) => {
    const canvas = viewer.drawer.canvas;
    const ratio = canvas.width / viewer.viewport.getContainerSize().x;
    const screen = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const grey = (data, width, x, y) => {
      let sum = 0;
      for (const [dx, dy] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
        const at = 4 * ((y + dy) * width + x + dx);
        sum += (data[at] + data[at + 1] + data[at + 2]) / 12;
      }
      return sum;
    };
    let [total, count, levels] = [0, 0, new Set()];
    for (const part of parts) {
      const image = new Image();
      image.src = part.url;
      await image.decode();
      const own = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
      own.drawImage(image, 0, 0);
      const drawn = own.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
      for (let row = 1; row < 24; row++) {
        for (let column = 1; column < 24; column++) {
          const [u, v] = [column / 24, row / 24];
          const point = new OpenSeadragon.Point(part.x + u * part.width, part.y + v * part.height);
          const place = viewer.world.getItemAt(0).imageToViewerElementCoordinates(point);
          const [x, y] = [Math.round(place.x * ratio), Math.round(place.y * ratio)];
          if (x < 1 || y < 1 || x + 2 > canvas.width || y + 2 > canvas.height) continue;
          const [own_x, own_y] = [Math.round(u * drawn.width), Math.round(v * drawn.height)];
          if (own_x + 2 > drawn.width || own_y + 2 > drawn.height) continue;
          const shown = grey(screen.data, canvas.width, x, y);
          total += Math.abs(shown - grey(drawn.data, drawn.width, own_x, own_y));
          levels.add(Math.round(shown));
          count++;
        }
      }
    }
    return { mean: total / count, count, levels: levels.size };
  }, parts);
}

const checks = {};
for (const { name, id, parts } of JSON.parse(given)) {
  try {
    await open(id);
    await page.screenshot({ path: join(out, `${name}-whole.png`) });
    const whole = await difference(parts);
    await page.evaluate(() => viewer.viewport.zoomTo(viewer.world.getItemAt(0).imageToViewportZoom(1), null, true));
    await settled();
    await page.screenshot({ path: join(out, `${name}-close.png`) });
    const close = await difference(parts);
    console.error(name, JSON.stringify({ whole, close }));
    const good = ({ mean, count, levels }) => mean <= DIFFERENCE_MAX && count > 25 && levels > 8;
    checks[name] = good(whole) && good(close) ? true : JSON.stringify({ whole, close });
  } catch (error) {
    checks[name] = String(error.message ?? error);
  }
}
checks["every request is answered"] = failed.length ? failed.slice(0, 5).join("; ") : true;
await browser.close();
const ok = Object.values(checks).every((result) => result === true);
console.log(JSON.stringify({ ok, checks }));
process.exit(ok ? 0 : 1);
