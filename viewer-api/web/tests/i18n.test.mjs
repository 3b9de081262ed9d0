// Proves that both languages say everything: same keys, same values to fill in, and no key asked for that is not there.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { TEXT, addWords, setLanguage, t } from "../viewer/i18n.js";

// A part of the page that is loaded when first used has its words in a `words.js` of its folder.
const folder = new URL("../viewer/", import.meta.url);
const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js") && !name.endsWith("i18n.js"));
for (const name of files.filter((name) => name.endsWith("/words.js"))) addWords((await import(new URL(name, folder))).WORDS);

const parts = (sentence) => [...sentence.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

test("Japanese and English have the same keys", () => assert.deepEqual(Object.keys(TEXT.ja).sort(), Object.keys(TEXT.en).sort()));

test("each sentence is filled with the same values in both languages", () => {
  for (const key of Object.keys(TEXT.ja)) {
    assert.deepEqual(parts(TEXT.ja[key]), parts(TEXT.en[key]), key);
    assert.ok(TEXT.ja[key].trim() && TEXT.en[key].trim(), key);
  }
});

test("every key named in the modules exists, and every key is named somewhere", () => {
  const source = files.filter((name) => !name.endsWith("/words.js")).map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  for (const [, key] of source.matchAll(/\bt\("(\w+)"/g)) assert.ok(Object.hasOwn(TEXT.ja, key), `t("${key}")`);
  const composed = ["sexM", "sexF", "sexO"];
  const unused = Object.keys(TEXT.ja).filter((key) => !composed.includes(key) && !new RegExp(`["\\s{]${key}["\\s:]`).test(source));
  assert.deepEqual(unused, []);
});

test("values are put in, an unknown language is Japanese, an unknown key throws", () => {
  setLanguage("en");
  assert.equal(t("objects", { n: 50 }), "50 objects");
  setLanguage("tlh");
  assert.equal(t("studies"), TEXT.ja.studies);
  assert.throws(() => t("toString"));
});
