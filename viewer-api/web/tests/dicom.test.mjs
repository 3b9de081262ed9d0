// Proves that DICOM JSON becomes what people read: names in their groups, dates, ages, numbers from strings.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ageAt, formatDate, formatTime, numbers, personName, text } from "../viewer/dicom.js";

function checkName(source, language, primary, others) {
  const name = personName(source, language);
  assert.deepEqual([name.primary, name.others], [primary, others]);
}

test("the ideographic group leads in Japanese, the alphabetic one in English", () => {
  const yamada = { Alphabetic: "Yamada^Tarou", Ideographic: "山田^太郎", Phonetic: "やまだ^たろう" };
  checkName(yamada, "ja", "山田 太郎", ["やまだ たろう", "Yamada Tarou"]);
  checkName(yamada, "en", "Yamada Tarou", ["やまだ たろう", "山田 太郎"]);
});

test("any group may be missing, and a plain string is split at its equals signs", () => {
  checkName({ Phonetic: "やまだ^たろう^^^" }, "en", "やまだ たろう", []);
  checkName({ Alphabetic: "ﾔﾏﾀﾞ^ﾀﾛｳ" }, "ja", "ﾔﾏﾀﾞ ﾀﾛｳ", []);
  checkName("Yamada^Tarou=山田^太郎", "ja", "山田 太郎", ["Yamada Tarou"]);
  checkName("=山田^太郎", "en", "山田 太郎", []);
  checkName(undefined, "ja", "", []);
});

test("the same text in two groups is shown once", () => checkName({ Alphabetic: "山田^太郎", Ideographic: "山田^太郎" }, "ja", "山田 太郎", []));

test("dates and times keep what they do not understand", () => {
  assert.equal(formatDate("20261122"), "2026-11-22");
  assert.equal(formatDate("2026.11.22"), "2026.11.22");
  assert.equal(formatDate(undefined), "");
  assert.equal(formatTime("093015.12"), "09:30");
  assert.equal(formatTime("9"), "");
});

test("an age turns on the birthday and is not guessed", () => {
  assert.equal(ageAt("20000615", "20260614"), 25);
  assert.equal(ageAt("20000615", "20260615"), 26);
  assert.equal(ageAt("", "20260615"), null);
  assert.equal(ageAt("20270101", "20260615"), null);
});

test("numbers come from strings, and absent elements are empty", () => {
  assert.deepEqual(numbers({ "00280030": { vr: "DS", Value: ["0.5", 0.25, null, "x"] } }, "PixelSpacing"), [0.5, 0.25]);
  assert.equal(text({}, "PatientID"), "");
  assert.equal(text({ "00100020": { vr: "LO", Value: ["001 "] } }, "PatientID"), "001");
});
