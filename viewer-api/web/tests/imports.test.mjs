// What the page loads, and from where.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { ABOUT_IMAGES, NOT_HUNG, VOLUMES } from "../viewer/image/modalities.js";

const web = fileURLToPath(new URL("../", import.meta.url));
const read = (path) => readFileSync(`${web}viewer/${path}`, "utf8");

test("what a study page loads for a picture comes with the page itself", () => {
  // main.js imports these when an address names a study; each of them is in the server's list, or one more round trip goes by.
  const source = readFileSync(`${web}../src/assets/tree.rs`, "utf8");
  const first = [...source.match(/const FIRST: &\[&str\] = &\[([^\]]*)\]/)[1].matchAll(/"([^"]+)"/g)].map(([, path]) => path);
  const study = read("study.js");
  const parts = study.slice(study.indexOf("async load()"), study.indexOf("begin(sets)"));
  const dynamic = [...parts.matchAll(/import\("\.\/([^"]+)"\)/g)].map(([, path]) => path);
  assert.deepEqual(dynamic.sort(), first.sort());
});

test("the server says what hangs first by the lists that the modules hang by", () => {
  const source = readFileSync(`${web}../src/manifest/first.rs`, "utf8");
  const list = (name) => JSON.parse(source.match(new RegExp(`const ${name}: [^=]+=\\s*(\\[[^\\]]*\\]);`))[1]);
  const projections = JSON.parse(read("room/hanging.js").match(/const PROJECTIONS = (\[[^\]]*\]);/)[1]);
  assert.deepEqual([list("ABOUT_IMAGES"), list("NOT_HUNG"), list("VOLUMES"), list("PROJECTIONS")], [ABOUT_IMAGES, NOT_HUNG, VOLUMES, projections]);
});

test("the browser is told to ask for the very address that the first script asks for", () => {
  const viewport = readFileSync(`${web}../src/assets/mod.rs`, "utf8").match(/const VIEWPORT: &str = "([^"]+)"/)[1];
  assert.ok(read("boot.js").includes(`manifest}?viewport=${viewport}\``), viewport);
});

test("nothing is imported from elsewhere or by an absolute path", () => {
  const modules = readdirSync(`${web}viewer`, { recursive: true }).filter((path) => path.endsWith(".js"));
  assert.ok(modules.length > 50, `${modules.length} modules`);
  for (const path of modules) assert.doesNotMatch(read(path), /(?:from |import\(|import )"(?:https?:)?\//, path);
});
