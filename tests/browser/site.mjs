// A site as a hospital would put in front of the archive: a folder of files and, under the same origin, the archive's own
// paths handed through. Nothing is added to what passes, no header, no credential. What a viewer's page needs beside its files
// (its configuration) is given as `own`: path -> [content type, text].

import { createServer, request } from "node:http";
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm",
  ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json",
};
const PASSED = /^\/(dicom-web|session|iiif)(\/|\?|$)/;

// Hands a request through to the archive, and its answer back as it comes. `pace` slows bodies down as a line would:
// {path: RegExp, chunk_bytes, chunk_ms, hold(written)}; what `hold` answers is waited for before more than `written` bytes go on.
function pass(archive, pace, incoming, outgoing) {
  const { hostname, port } = new URL(archive);
  const onward = request({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers }, async (answer) => {
    outgoing.writeHead(answer.statusCode, answer.rawHeaders);
    if (!pace?.path.test(incoming.url)) return void answer.pipe(outgoing);
    let written = 0;
    for await (const piece of answer) {
      for (let at = 0; at < piece.length; at += pace.chunk_bytes) {
        await pace.hold?.(written);
        written += Math.min(pace.chunk_bytes, piece.length - at);
        outgoing.write(piece.subarray(at, at + pace.chunk_bytes));
        await new Promise((go) => setTimeout(go, pace.chunk_ms));
      }
    }
    outgoing.end();
  });
  onward.on("error", () => outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end());
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}

async function file(folders, path) {
  const plain = normalize(decodeURIComponent(path));
  for (const folder of folders) {
    const found = join(folder, plain === "/" ? "index.html" : plain);
    if (found.startsWith(folder) && (await stat(found).catch(() => null))?.isFile()) return found;
  }
  return null;
}

// Answers {url, close}. A path without an extension that is no file is the page (a single-page application's own address).
export async function serve({ archive, folders, own = {}, pace }) {
  const server = createServer(async (incoming, outgoing) => {
    if (PASSED.test(incoming.url)) return pass(archive, pace, incoming, outgoing);
    const path = incoming.url.split("?")[0];
    if (own[path]) return void outgoing.writeHead(200, { "Content-Type": own[path][0] }).end(own[path][1]);
    const found = (await file(folders, path)) ?? (extname(path) ? null : await file(folders, "/"));
    if (!found) return void outgoing.writeHead(404).end();
    outgoing.writeHead(200, { "Content-Type": TYPES[extname(found)] ?? "application/octet-stream" }).end(await readFile(found));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}
