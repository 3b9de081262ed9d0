// Proves what the study list makes of what people type, which rows it draws and keeps, and what it calls new.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dateOf, day, eraOf, eraYear, rangeOf } from "../viewer/list/dates.js";
import { TOKENS_MAX, groups, parse, without } from "../viewer/list/query.js";
import { StudyList } from "../viewer/list/list.js";
import { newness, sawUpTo, seenBefore } from "../viewer/list/seen.js";
import { KEPT_ROWS_MAX, PAGE_ROWS, Pages, inSight } from "../viewer/list/window.js";

const MONDAY = new Date(2026, 10, 23);
const at = (from, to = from) => ({ from, to });
const checkDate = (text, expected) => assert.deepEqual(dateOf(text.normalize("NFKC"), MONDAY), expected, text);
const checkTokens = (text, expected) => assert.deepEqual(parse(text, MONDAY).tokens.map(({ kind, group }) => [kind, group]), expected, text);

test("a day is read in each of its forms", () => {
  for (const text of ["1975-03-02", "1975/3/2", "1975.3.2", "19750302", "1975年3月2日", "昭和50年3月2日", "昭和５０年３月２日", "S50.3.2", "s50/03/02", "S500302", "昭和50年 3月 2日"]) checkDate(text, at("19750302"));
  checkDate("令和元年5月1日", at("20190501"));
  checkDate("R8.11.23", at("20261123"));
  checkDate("平成31年4月30日", at("20190430"));
  checkDate("M45.7.29", at("19120729"));
  checkDate("大正1年8月1日", at("19120801"));
});

test("what is no day of the calendar is no date", () => {
  for (const text of ["2026-02-30", "20261301", "2026-00-10", "昭和0年1月1日", "昭和65年1月1日", "X50.3.2", "12345678", "99991231", "2026-11-23-1", ""]) checkDate(text, null);
  assert.equal(day(2024, 2, 29), "20240229");
  assert.equal(day(2100, 2, 29), null);
});

test("a year of an era that had ended is read as people write it, one after that is not", () => {
  assert.equal(eraYear("昭和", 64), 1989);
  assert.equal(eraYear("S", 65), null);
  assert.equal(eraYear("h", 31), 2019);
  assert.equal(eraYear("平成", 32), null);
  assert.equal(eraYear("明治", 1), 1868);
});

test("a date is said in its era on the day it changes", () => {
  for (const [date, era] of [["19750302", "昭50"], ["19890107", "昭64"], ["19890108", "平元"], ["20190430", "平31"], ["20190501", "令元"], ["19261224", "大15"], ["", ""], ["1975", ""]]) assert.equal(eraOf(date), era, date);
});

test("months, years and days by name are spans", () => {
  checkDate("2026-11", at("20261101", "20261130"));
  checkDate("2024年2月", at("20240201", "20240229"));
  checkDate("2026年", at("20260101", "20261231"));
  checkDate("令和8年11月", at("20261101", "20261130"));
  checkDate("昭和50年", at("19750101", "19751231"));
  checkDate("今日", at("20261123"));
  checkDate("Yesterday", at("20261122"));
  checkDate("今週", at("20261123", "20261129"));
  checkDate("last week", at("20261116", "20261122"));
  checkDate("先月", at("20261001", "20261031"));
  assert.deepEqual(dateOf("先月", new Date(2026, 0, 31)), at("20251201", "20251231"));
  assert.deepEqual(dateOf("今週", new Date(2026, 10, 22)), at("20261116", "20261122"));
});

test("ranges have either end or both, and do not run backwards", () => {
  const check = (text, expected) => assert.deepEqual(rangeOf(text.normalize("NFKC"), MONDAY), expected, text);
  check("2026-11-01..2026-11-05", at("20261101", "20261105"));
  check("2026-11-01～2026-11-05", at("20261101", "20261105"));
  check("20261101-20261105", at("20261101", "20261105"));
  check("20261101-", { from: "20261101" });
  check("-20261105", { to: "20261105" });
  check("2026-10〜2026-11", at("20261001", "20261130"));
  check("2026-11-01から", { from: "20261101" });
  check("2026年11月以降", { from: "20261101" });
  check("2026-11-05まで", { to: "20261105" });
  check("昭和50年から昭和60年まで", at("19750101", "19851231"));
  check("先月..今日", at("20261001", "20261123"));
  check("2026-11-05..2026-11-01", null);
  check("..", null);
  check("CT..MR", null);
});

test("each word typed is understood, and all of them together", () => {
  checkTokens("山田", [["name", [{ name: "山田" }, { centre: "山田" }]]]);
  checkTokens("ﾔﾏﾀﾞ　太郎", [["name", [{ name: "ヤマダ" }, { centre: "ヤマダ" }]], ["name", [{ name: "太郎" }, { centre: "太郎" }]]]);
  checkTokens("1975-03-02", [["day", [{ birth_date: at("19750302") }, { study_date: at("19750302") }]]]);
  checkTokens("昭和50年3月2日", [["day", [{ birth_date: at("19750302") }, { study_date: at("19750302") }]]]);
  checkTokens("19750302", [["day", [{ birth_date: at("19750302") }, { study_date: at("19750302") }, { patient_id: "19750302" }, { accession_number: "19750302" }]]]);
  checkTokens("今日 CT", [["study", [{ study_date: at("20261123") }]], ["modality", [{ modality: "CT" }]]]);
  checkTokens("2026-11", [["study", [{ study_date: at("20261101", "20261130") }]]]);
  checkTokens("昭和50年", [["day", [{ birth_date: at("19750101", "19751231") }, { study_date: at("19750101", "19751231") }]]]);
  checkTokens("P-00417", [["id", [{ patient_id: "P-00417" }, { accession_number: "P-00417" }, { centre: "P-00417" }]]]);
  checkTokens("ot", [["modality", [{ modality: "OT" }, { name: "ot" }]]]);
  checkTokens("マンモ", [["modality", [{ modality: "MG" }]]]);
  checkTokens("id:山 生年月日：S50.3.2 施設：A 受付:77 name:CT", [["id", [{ patient_id: "山" }]], ["birth", [{ birth_date: at("19750302") }]], ["centre", [{ centre: "A" }]], ["accession", [{ accession_number: "77" }]], ["name", [{ name: "CT" }]]]);
  checkTokens("2026-11-01 〜 2026-11-05 yamada", [["study", [{ study_date: at("20261101", "20261105") }]], ["name", [{ name: "yamada" }, { centre: "yamada" }]]]);
  checkTokens("  ", []);
});

test("a token can be taken out again, and what is left says the same", () => {
  const query = parse("山田　今日 ＣＴ", MONDAY);
  assert.equal(without(query, query.tokens[1]), "山田 CT");
  assert.equal(without(query, query.tokens[0]), "今日 CT");
  assert.deepEqual(parse(without(query, query.tokens[1]), MONDAY).tokens.map(({ kind }) => kind), ["name", "modality"]);
});

test("a search stays within what the server takes, whatever is pasted", () => {
  const { tokens } = parse(`${"山".repeat(5000)} ${"a1 ".repeat(500)}`, MONDAY);
  assert.equal(tokens.length, TOKENS_MAX);
  for (const group of groups(tokens)) {
    assert.ok(group.length >= 1 && group.length <= 8);
    for (const one of group) for (const value of Object.values(one)) assert.ok(typeof value !== "string" || [...value].length <= 64);
  }
});

test("only rows in sight are drawn", () => {
  assert.deepEqual(inSight({ top: 0, height: 680, rowHeight: 34, total: 10_000, beyond: 10 }), { first: 0, last: 30 });
  assert.deepEqual(inSight({ top: 34 * 5000, height: 680, rowHeight: 34, total: 10_000, beyond: 10 }), { first: 4990, last: 5030 });
  assert.deepEqual(inSight({ top: 34 * 9_999, height: 680, rowHeight: 34, total: 10_000, beyond: 10 }), { first: 9989, last: 9999 });
  assert.deepEqual(inSight({ top: 9e9, height: 680, rowHeight: 34, total: 3, beyond: 10 }), { first: 2, last: 2 });
});

test("pages come as they are looked at, are kept up to a bound, and what is left behind is taken back", async () => {
  const asked = [];
  let wait = null;
  const pages = new Pages(async (offset, limit, signal) => {
    asked.push(offset);
    if (wait) await wait;
    signal.throwIfAborted();
    return { studies: Array.from({ length: limit }, (_, at) => ({ n: offset + at })), total: 100_000 };
  }, () => {}, assert.fail);
  const settled = () => new Promise((resolve) => setTimeout(resolve, 5));
  pages.want(0, 30);
  await settled();
  assert.deepEqual([asked, pages.row(7).n, pages.row(100)], [[0], 7, undefined]);
  let go;
  wait = new Promise((resolve) => { go = resolve; });
  pages.want(50_000, 50_030);
  pages.want(90_000, 90_030);
  go();
  wait = null;
  await settled();
  assert.equal(pages.row(50_000), undefined, "nobody looks there any more");
  assert.equal(pages.row(90_001).n, 90_001);
  for (let page = 100; page < 300; page++) pages.want(page * PAGE_ROWS, page * PAGE_ROWS);
  for (let page = 100; page < 300; page++) {
    pages.want(page * PAGE_ROWS, page * PAGE_ROWS);
    await new Promise(setImmediate);
  }
  await settled();
  assert.ok(pages.pages.size * PAGE_ROWS <= KEPT_ROWS_MAX, `${pages.pages.size} pages kept`);
});

test("new is what came since the last visit, and stays new while the tab lives", () => {
  const kept = new Map();
  const area = (map) => ({ getItem: (key) => map.get(key) ?? null, setItem: (key, value) => map.set(key, value) });
  globalThis.localStorage = area(kept);
  const study = (first, last = first) => ({ first_sequence: first, last_sequence: last });
  const first = area(new Map());
  assert.equal(seenBefore(first), null);
  assert.equal(newness(study(5), seenBefore(first)), "", "at the first visit nothing is new");
  sawUpTo(100, first);
  assert.equal(newness(study(100), seenBefore(first)), "");
  assert.equal(newness(study(101), seenBefore(first)), "new");
  sawUpTo(120, first);
  assert.equal(newness(study(101), seenBefore(first)), "new", "loaded again in the same tab");
  const second = area(new Map());
  assert.equal(newness(study(101), seenBefore(second)), "", "the next visit");
  assert.equal(newness(study(90, 121), seenBefore(second)), "more");
  sawUpTo(50, second);
  assert.equal(seenBefore(second), 50, "another archive counts from less");
  assert.ok([...kept.values()].every((value) => /^\d+$/.test(value)), "a number and nothing else is kept");
  delete globalThis.localStorage;
});

test("Enter opens nothing of the search before while a new one is under way", () => {
  const opened = [];
  const list = Object.assign(Object.create(StudyList.prototype), { box: { clientHeight: 600 }, rowHeight: 34, open: (index) => opened.push(index) });
  const press = () => list.onRowKey({ key: "Enter", preventDefault() {}, stopPropagation() {} });
  const [before, now] = [{}, {}];
  Object.assign(list, { pages: before, coming: now });
  press();
  assert.deepEqual(opened, []);
  list.pages = now;
  press();
  assert.deepEqual(opened, [0]);
});
