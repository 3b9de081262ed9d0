// The peer: a page as somebody builds it on Cornerstone3D, one viewport as large as the window, the first bytes of the frame before the rest
// (its own progressive mode, the quickest it has). The address names the frame: #/dicom-web/studies/…/frames/1

import { Enums, RenderingEngine, init as initCore, utilities } from "@cornerstonejs/core";
import { init as initLoader, wadors } from "@cornerstonejs/dicom-image-loader";

const KIB = 1024;
const RANGE = {
  stages: [{ id: "first", positions: [0], retrieveType: "first" }, { id: "rest", positions: [0], retrieveType: "rest" }],
  retrieveOptions: {
    first: { rangeIndex: 0, initialChunkSize: 64 * KIB, chunkSize: 64 * KIB },
    rest: { rangeIndex: -1, initialChunkSize: 64 * KIB, chunkSize: 64 * KIB },
  },
};

const path = location.hash.slice(1);
const metadata = fetch(path.replace(/\/frames\/1$/, "/metadata"), { headers: { Accept: "application/dicom+json" } }).then((answer) => answer.json());
await initCore();
initLoader({ maxWebWorkers: 1, decodeConfig: { wasmBasePath: "/" } });
const imageId = `wadors:${location.origin}${path}`;
wadors.metaDataManager.add(imageId, (await metadata)[0]);
utilities.imageRetrieveMetadataProvider.add("stack", RANGE);
const engine = new RenderingEngine("engine");
engine.enableElement({ viewportId: "one", type: Enums.ViewportType.STACK, element: document.getElementById("one") });
const viewport = engine.getViewport("one");
await viewport.setStack([imageId]);
viewport.render();
