// What a browser has to load before the first pixel: the page, its style, its modules and all they import, the worker and the decoder.
// Computed from the static imports, so that nobody has to keep a list; `import()` is for what is not needed yet.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const CODE_BYTES_MAX = 150_000;
const DECODER_BYTES_MAX = 80_000;
const web = fileURLToPath(new URL("../", import.meta.url));
const read = (path) => readFileSync(`${web}viewer/${path}`);
// As the server sends modules and styles: without comments of whole lines and without indentation, but
// for those with a template literal over several lines (src/assets/slim.rs).
const isOpen = (text) => text.split("\n").some((line) => !/^\s*(\/\/|\/?\*)/.test(line) && line.split("`").length % 2 === 0);
const served = (path) => (!isOpen(read(path).toString()) && /\.(js|css)$/.test(path) ? Buffer.from(read(path).toString().replace(/^[ \t]*\/\*[^]*?\*\/[ \t]*$/gm, (comment) => comment.replace(/[^\n]/g, "")).replace(/^[ \t]*\/\/.*$|^[ \t]+/gm, "")) : read(path));
const compressed = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length, [constants.BROTLI_PARAM_LGWIN]: 20 } }).length;

const IMPORT = /^(?:import|export) (?:[^;"]*?from )?"(\.[^"]+)"/gm;
function closure(first) {
  const found = new Set();
  const walk = (path) => {
    if (found.has(path)) return;
    assert.ok(existsSync(`${web}viewer/${path}`), `${path} is imported and is not here`);
    found.add(path);
    for (const [, import_] of read(path).toString().matchAll(IMPORT)) walk(posix.join(posix.dirname(path), import_));
  };
  first.forEach(walk);
  return [...found];
}

// Where the server begins its list of modules to be loaded at once.
function firstModules() {
  const source = readFileSync(`${web}../src/assets/tree.rs`, "utf8");
  return [...source.match(/const FIRST: &\[&str\] = &\[([^\]]*)\]/)[1].matchAll(/"([^"]+)"/g)].map(([, path]) => path);
}

test("what is loaded before the first pixel is small", (t) => {
  const files = [...closure(firstModules()), "boot.js", "style.css", "room/room.css", "image/htj2k.wasm"];
  const sizes = files.map((path) => [compressed(served(path)), path]).sort(([a], [b]) => b - a);
  const page = compressed(readFileSync(`${web}index.html`));
  const sum = sizes.reduce((bytes, [size]) => bytes + size, page);
  t.diagnostic(`${sum} bytes in ${files.length + 1} files: ${sizes.map(([size, path]) => `${path} ${size}`).join(", ")}`);
  const decoder = sizes.find(([, path]) => path === "image/htj2k.wasm")[0];
  assert.ok(decoder <= DECODER_BYTES_MAX, `the decoder has ${decoder} bytes, ${DECODER_BYTES_MAX} at most`);
  assert.ok(sum <= CODE_BYTES_MAX, `${sum} bytes before the first pixel, ${CODE_BYTES_MAX} at most: ${sizes.slice(0, 12).map(([size, path]) => `${path} ${size}`).join(", ")}`);
});

test("what a study page loads for a picture is asked for by the page itself", () => {
  // main.js imports these when an address names a study; each of them is in the server's list, or one more round trip goes by.
  const study = read("study.js").toString();
  const parts = study.slice(study.indexOf("async load()"), study.indexOf("begin(sets)"));
  const dynamic = [...parts.matchAll(/import\("\.\/([^"]+)"\)/g)].map(([, path]) => path);
  assert.ok(dynamic.length > 0, "study.js loads the room in load()");
  assert.deepEqual(dynamic.filter((path) => !firstModules().includes(path)), []);
});

test("nothing is imported from elsewhere or by an absolute path", () => {
  for (const path of closure(firstModules())) assert.doesNotMatch(read(path).toString(), /(?:from |import\(|import )"(?:https?:)?\//, path);
});
