// Proves that a picture is saved or printed with the patient's name only where that was asked for last.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Export } from "../viewer/export/export.js";
import { openPage, promised, settle } from "./page.mjs";

openPage();

test("what was asked for last is what is saved, whatever ends last; until then nothing can be", async () => {
  const made = [];
  const dialogue = new Export({}, {});
  dialogue.preview.decode = async () => {};
  dialogue.drawn = () => { const one = promised(); made.push(one); return one.promise; };
  const asks = () => dialogue.show();
  asks();
  asks();
  assert.deepEqual(dialogue.buttons.map(({ disabled }) => disabled), [true, true]);
  const [named, plain] = [new Blob(["named"]), new Blob(["plain"])];
  made[1].resolve(plain);
  await settle();
  assert.deepEqual([dialogue.blob, ...dialogue.buttons.map(({ disabled }) => disabled)], [plain, false, false]);
  made[0].resolve(named);
  await settle();
  assert.equal(dialogue.blob, plain);
});
