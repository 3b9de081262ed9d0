// Proves of every module what a browser would have to open to see: dialogs are modal (so that they hold the focus) and have names, nothing
// takes the Tab key out of the order of the page, the focus is never made invisible, and no text of a file becomes markup.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../viewer/", import.meta.url);
const read = (ending) => readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(ending)).map((name) => [name, readFileSync(new URL(name, folder), "utf8")]);
const modules = read(".js");
const sheets = read(".css").map(([name, css]) => [name, css.replace(/\/\*[\s\S]*?\*\//g, "")]);

test("every dialog is modal and has a name", () => {
  let dialogs = 0;
  for (const [name, source] of modules) {
    for (const [, attributes] of source.matchAll(/h\("dialog",\s*(\{[\s\S]{0,300})/g)) {
      dialogs++;
      assert.match(attributes, /"aria-label(ledby)?"/, `${name}: a dialog without a name`);
      assert.match(source, /\.showModal\(\)/, `${name}: a dialog that is never opened as a modal one`);
    }
    assert.doesNotMatch(source, /dialog\.show\(\)/, `${name}: a dialog that lets the focus out`);
  }
  assert.ok(dialogs >= 2, `${dialogs} dialogs were found`);
});

test("nothing is put before its place in the order of the Tab key", () => {
  for (const [name, source] of modules) assert.doesNotMatch(source, /tab[iI]ndex"?\s*[:=]\s*"?[1-9]/, name);
});

test("the focus is not made invisible", () => {
  for (const [name, css] of sheets) {
    for (const [, selector, body] of css.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
      // Places that only a script moves the focus to, and that are all of the page then.
      if (/outline:\s*(none|0)\b/.test(body)) assert.match(selector, /#main|\.reading-place|:focus:not\(:focus-visible\)/, `${name}: ${selector.trim()}`);
    }
  }
});

test("no text becomes markup, and nothing is fetched from elsewhere", () => {
  for (const [name, source] of modules) {
    assert.doesNotMatch(source, /\.(innerHTML|outerHTML|insertAdjacentHTML)\b|document\.write\b|\beval\(|new Function\(/, name);
    const code = source.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
    // Names of XML spaces are no addresses that anybody asks for.
    for (const [address] of code.matchAll(/https?:\/\/[^\s"'`)]+/g)) assert.match(address, /^http:\/\/www\.w3\.org\//, `${name}: ${address}`);
  }
});

test("what the browser keeps goes through the list of settings, but for what is told here", () => {
  // A number of the archive's order, for the life of a tab (list/seen.js); opaque verdicts that wait for a line (reading/).
  const known = /^(settings\.js|list\/seen\.js|reading\/[\w-]+\.js)$/;
  for (const [name, source] of modules) {
    const code = source.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
    if (/\b(localStorage|sessionStorage|indexedDB|caches\.open|document\.cookie)\b/.test(code)) assert.match(name, known, `${name} keeps something in the browser`);
  }
});
