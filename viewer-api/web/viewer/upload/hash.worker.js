// Digests of files beside the page, a piece at a time: `{id, blob}` in, `{id, sha256}` out; empty where the file cannot be read.

import { Sha256 } from "./sha256.js";

const PIECE_BYTES = 4 << 20;

self.addEventListener("message", async ({ data: { id, blob } }) => {
  let sha256 = "";
  try {
    const digest = new Sha256();
    for (let at = 0; at < blob.size; at += PIECE_BYTES) digest.update(new Uint8Array(await blob.slice(at, at + PIECE_BYTES).arrayBuffer()));
    sha256 = digest.hex();
  } catch {
    // The file is gone; the sending says so.
  }
  self.postMessage({ id, sha256 });
});
