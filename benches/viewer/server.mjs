// One origin for everything that is timed: a way in, the peer's page (compressed as ours is, kept for ever), and the archive behind it. What
// passes is not changed, so that both pages have the same server, the same link and the same extra step of signing in.

import { createServer, request } from "node:http";
import { brotliCompressSync, constants } from "node:zlib";
import { readFile, readdir } from "node:fs/promises";
import { extname, join } from "node:path";

const TYPES = { ".js": "text/javascript; charset=utf-8", ".wasm": "application/wasm" };
const PEER = `<!doctype html><meta charset="utf-8"><title>Cornerstone3D</title><link rel="icon" href="data:,">
<style>html, body { margin: 0; background: #000 } #one { width: 100vw; height: 100vh }</style><div id="one"></div><script type="module" src="/peer/page.js"></script>`;

async function compressed(folders) {
  const files = new Map();
  for (const folder of folders) {
    for (const name of await readdir(folder)) {
      if (!TYPES[extname(name)]) continue;
      const bytes = await readFile(join(folder, name));
      files.set(name, { type: TYPES[extname(name)], bytes: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }) });
    }
  }
  return files;
}

/** Signs in for whoever comes through `/enter?study=UID` (ours) or `/enter-peer`, each a session of its own. Answers `{url, close}`. */
export async function serve({ archive, token, folders }) {
  const files = await compressed(folders);
  const { hostname, port } = new URL(archive);
  async function enter(to, outgoing) {
    const answer = await fetch(`${archive}/session`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) });
    if (!answer.ok) return void outgoing.writeHead(502).end(`POST /session is answered ${answer.status}`);
    outgoing.writeHead(302, { Location: to, "Set-Cookie": answer.headers.get("set-cookie"), "Cache-Control": "no-store" }).end();
  }
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url.split("?")[0];
    if (path === "/enter") return void enter(`/study/${new URL(incoming.url, archive).searchParams.get("study")}`, outgoing);
    if (path === "/enter-peer") return void enter("/peer", outgoing);
    if (path === "/peer") return void outgoing.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache" }).end(PEER);
    // The codec is asked for at the root, or beside the worker.
    const file = files.get(path.slice(path.lastIndexOf("/") + 1));
    if (file && !path.startsWith("/viewer/")) {
      return void outgoing.writeHead(200, { "Content-Type": file.type, "Content-Encoding": "br", "Content-Length": file.bytes.length, "Cache-Control": "public, max-age=31536000, immutable" }).end(file.bytes);
    }
    const onward = request({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    onward.on("error", () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}
