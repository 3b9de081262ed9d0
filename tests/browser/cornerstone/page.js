// A page as somebody who builds on Cornerstone3D writes it: two of its ways to show a frame before all of it is here.

import { Enums, RenderingEngine, cache, init as initCore, utilities } from "@cornerstonejs/core";
import { init as initLoader, wadors } from "@cornerstonejs/dicom-image-loader";

const KIB = 1024;
const MODES = {
  // One request; what has come is decoded again and again.
  streaming: { retrieveOptions: { single: { streaming: true, initialChunkSize: 32 * KIB, chunkSize: 64 * KIB } } },
  // The first bytes by a Range request, the rest by another. Cornerstone asks without an Authorization header here.
  range: {
    stages: [{ id: "first", positions: [0], retrieveType: "first" }, { id: "rest", positions: [0], retrieveType: "rest" }],
    retrieveOptions: {
      first: { rangeIndex: 0, initialChunkSize: 64 * KIB, chunkSize: 64 * KIB },
      rest: { rangeIndex: -1, initialChunkSize: 64 * KIB, chunkSize: 64 * KIB },
    },
  },
};

await initCore();
initLoader({ maxWebWorkers: 1, decodeConfig: { wasmBasePath: "/" } });
const engine = new RenderingEngine("engine");

function panel(name) {
  const row = document.body.appendChild(document.createElement("div"));
  row.className = "row";
  const title = row.appendChild(document.createElement("p"));
  const first = row.appendChild(document.createElement("canvas"));
  const element = row.appendChild(document.createElement("div"));
  element.className = "viewport";
  element.id = name;
  return { element, first, title };
}

// Shows the frame at `url` and answers each picture that was drawn: its quality as Cornerstone names it, and when, in ms.
window.show = async (name, mode, url, metadata) => {
  window.drawn = 0;
  const { element, first, title } = panel(name);
  const imageId = `wadors:${url}`;
  wadors.metaDataManager.add(imageId, metadata);
  cache.purgeCache();
  utilities.imageRetrieveMetadataProvider.clear();
  utilities.imageRetrieveMetadataProvider.add("stack", MODES[mode]);
  engine.enableElement({ viewportId: name, type: Enums.ViewportType.STACK, element });
  const viewport = engine.getViewport(name);
  const [seen, began] = [[], performance.now()];
  element.addEventListener(Enums.Events.IMAGE_RENDERED, () => {
    const image = viewport.getCornerstoneImage?.();
    const quality = image && Enums.ImageQualityStatus[image.imageQualityStatus];
    if (!quality || seen.at(-1)?.quality === quality) return;
    window.drawn++;
    seen.push({ quality, ms: Math.round(performance.now() - began), transfer_syntax: image.transferSyntaxUID });
    if (seen.length > 1) return;
    const drawn = element.querySelector("canvas");
    [first.width, first.height] = [drawn.width, drawn.height];
    first.getContext("2d").drawImage(drawn, 0, 0);
  });
  await viewport.setStack([imageId]);
  viewport.render();
  const whole = () => seen.some(({ quality }) => quality === "FULL_RESOLUTION");
  for (const deadline = began + 90_000; !whole() && performance.now() < deadline;) await new Promise((go) => setTimeout(go, 50));
  title.textContent = `${name}: ${seen.map(({ quality, ms }) => `${quality} ${ms} ms`).join(", ")}`;
  return seen;
};
window.ready = true;
