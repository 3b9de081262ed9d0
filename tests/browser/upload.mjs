// Drives the sending of files in a real browser: a folder and a ZIP are dropped, the line is cut in the middle, and the receipt at the end
// is the one the command line prints.
//
//   PLAYWRIGHT_DIR=DIR node tests/browser/upload.mjs BASE_URL TOKEN OUT_DIR FILES [PROGRAM DATA]
//
// TOKEN may upload. FILES is a folder of DICOM files, best with some broken ones, that the archive does not hold. With PROGRAM (tsunagu)
// and DATA (its archive's directory) the receipt is compared with `PROGRAM --data DATA receipt BATCH --json`. Needs `zip` on the path.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { open } from "./kit.mjs";
import { signIn, walkControls } from "./parts.mjs";

const [base, token, out, files, program, data] = process.argv.slice(2);
if (!base || !token || !out || !files || !process.env.PLAYWRIGHT_DIR) {
  console.error("usage: PLAYWRIGHT_DIR=DIR node upload.mjs BASE_URL TOKEN OUT_DIR FILES [PROGRAM DATA]");
  process.exit(2);
}
const kit = await open(out);
const { page, check, until } = kit;
kit.at(new URL(base).origin);
page.setDefaultTimeout(15_000);
const opening = page.locator("dialog.upload");
const said = page.locator(".upload-said");
const fact = async (name) => Number(await page.locator(`[data-fact=${name}]`).innerText());

// Two folders of the files: one to drop as it is, one as a ZIP. Beside DICOM there is what lies on a patient's CD.
const every = readdirSync(files, { recursive: true }).map((name) => join(files, name)).filter((path) => statSync(path).isFile() && statSync(path).size < 4 << 20).sort();
const half = Math.min(60, Math.floor(every.length / 2));
const folder = join(out, "medium");
const packed = join(out, "packed");
for (const [into, list] of [[folder, every.slice(0, half)], [packed, every.slice(half, 2 * half)]]) {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(join(into, "IMAGES"), { recursive: true });
  list.forEach((path, at) => copyFileSync(path, join(into, at % 3 ? "IMAGES" : "", `${String(at).padStart(3, "0")}-${basename(path)}`)));
}
writeFileSync(join(folder, "readme.txt"), "説明書\n");
writeFileSync(join(folder, "viewer.exe"), Buffer.concat([Buffer.from("MZ"), Buffer.alloc(4000)]));
const zip = join(out, "packed.zip");
rmSync(zip, { force: true });
execFileSync("zip", ["-q", "-r", zip, "packed"], { cwd: out });

async function openDialog() {
  await page.getByRole("button", { name: "ファイルを送る" }).click();
  await opening.waitFor();
}

async function untilEnded() {
  return until(`the sending says: ${await said.innerText()}`, async () => (await page.locator(".receipt").count()) > 0, 180_000);
}

// What the server says of the batch, and the command line where it is at hand.
async function sameAsTheCommandLine(batch) {
  const shown = { sent: await fact("sent"), stored: await fact("stored"), already_held: await fact("already_held"), quarantined: await fact("quarantined") };
  const files = await page.locator(".receipt .problems tbody tr td:first-child").allInnerTexts();
  if (!program) return shown.sent > 0 ? "" : "nothing was sent";
  const printed = JSON.parse(execFileSync(program, ["--data", data, "--json", "receipt", batch], { encoding: "utf8" }).trim().split("\n").at(-1));
  for (const key of ["sent", "stored", "already_held"]) if (printed[key] !== shown[key]) return `${key}: the page shows ${shown[key]}, the command line ${printed[key]}`;
  if (printed.quarantined.length !== shown.quarantined) return `quarantined: the page shows ${shown.quarantined}, the command line ${printed.quarantined.length}`;
  const names = printed.quarantined.map(({ file }) => file).sort();
  return names.join("\n") === files.map((name) => name.trim()).sort().join("\n") ? "" : `the names of what is quarantined differ: ${names[0]} and ${files[0]}`;
}

await check("signed_in", async () => {
  await signIn(page, base, token);
  await page.getByRole("button", { name: "ファイルを送る" }).waitFor();
});

let batch = "";
await check("folder_through_a_broken_line", async () => {
  await openDialog();
  const named = walkControls(page);
  if (await named) return named;
  await page.locator(".chooser").first().setInputFiles(folder);
  await page.getByRole("button", { name: "送信を始める" }).waitFor();
  const leftOut = await page.locator(".upload-list li span:first-child").allTextContents();
  for (const name of ["medium/readme.txt", "medium/viewer.exe"]) if (!leftOut.includes(name)) return `${name} is not left out: ${leftOut}`;
  await page.screenshot({ path: join(out, "upload_ready.png") });
  batch = await page.getByRole("textbox", { name: "バッチ番号" }).inputValue();
  // The first requests get through, then the line is cut: one answer is lost although the server has the files.
  let requests = 0;
  await page.route("**/dicom-web/studies", async (route) => {
    requests++;
    if (requests === 2) {
      await route.fetch().catch(() => {});
      await route.abort("connectionreset");
    } else if (requests > 2 && requests < 6) await route.abort("internetdisconnected");
    else await route.continue();
  });
  await page.getByRole("button", { name: "送信を始める" }).click();
  const broken = await until("the page does not say that the line is broken", async () => (await said.innerText()).includes("つながりません") || (await page.locator(".receipt").count()) > 0, 20_000);
  await page.screenshot({ path: join(out, "upload_broken.png") });
  const ended = broken || (await untilEnded());
  await page.unroute("**/dicom-web/studies");
  return ended;
});

await check("receipt_is_the_command_lines", async () => sameAsTheCommandLine(batch));

await check("record_and_receipt_are_saved", async () => {
  const save = async (name) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  };
  const record = await save("送信記録を保存（CSV）");
  const lines = record.text.replace("\ufeff", "").trim().split("\r\n");
  if (lines.length !== half + 3) return `the record has ${lines.length} lines for ${half} files and two that are left out`;
  const [first] = readdirSync(folder, { recursive: true }).filter((name) => name.startsWith("000-"));
  const digest = createHash("sha256").update(readFileSync(join(folder, first))).digest("hex");
  if (!record.text.includes(digest)) return "the SHA-256 of a file is not in the record";
  const receipt = await save("受領書を保存");
  if (!receipt.text.includes("受領書 Receipt") || !receipt.text.includes(batch)) return `the receipt saved is ${receipt.text.slice(0, 80)}`;
  if (!program) return "";
  const page_ = join(out, "receipt-of-the-command-line.html");
  execFileSync(program, ["--data", data, "receipt", batch, "--page", page_]);
  return readFileSync(page_, "utf8") === receipt.text ? "" : "the receipt saved is not the one the command line writes";
});

await check("paper_has_the_receipt_alone", async () => {
  await page.emulateMedia({ media: "print" });
  const list = await page.locator("#app").isVisible();
  const receipt = await page.locator(".receipt").isVisible();
  await page.screenshot({ path: join(out, "upload_printed.png") });
  await page.emulateMedia({ media: "screen" });
  return !list && receipt ? "" : `on paper, the list is ${list}, the receipt ${receipt}`;
});

await check("sent_again_repeats_nothing", async () => {
  const before = { sent: await fact("sent"), stored: await fact("stored") };
  await page.getByRole("button", { name: "閉じる", exact: true }).click();
  await openDialog();
  await page.locator(".chooser").first().setInputFiles(folder);
  await page.getByRole("textbox", { name: "バッチ番号" }).fill(batch);
  await page.getByRole("button", { name: "送信を始める" }).click();
  const wrong = await untilEnded();
  if (wrong) return wrong;
  const after = { sent: await fact("sent"), stored: await fact("stored") };
  return JSON.stringify(before) === JSON.stringify(after) ? "" : `the receipt was ${JSON.stringify(before)} and is ${JSON.stringify(after)}`;
});

await check("zip_dropped_paused_and_resumed", async () => {
  await page.getByRole("button", { name: "閉じる", exact: true }).click();
  const bytes = readFileSync(zip).toString("base64");
  const transfer = await page.evaluateHandle((bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], "packed.zip"));
    return transfer;
  }, bytes);
  await page.dispatchEvent("body", "dragenter", { dataTransfer: transfer });
  if (!(await page.locator(".drop-veil").isVisible())) return "nothing says that files may be dropped";
  await page.screenshot({ path: join(out, "upload_drop.png") });
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await page.getByRole("button", { name: "送信を始める" }).waitFor();
  batch = await page.getByRole("textbox", { name: "バッチ番号" }).inputValue();
  await page.route("**/dicom-web/studies", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await route.continue().catch(() => {});
  });
  await page.getByRole("button", { name: "送信を始める" }).click();
  await page.getByRole("button", { name: "一時停止" }).click();
  await page.getByText("一時停止中です").waitFor();
  await page.screenshot({ path: join(out, "upload_paused.png") });
  // What was answered before may still be on its way to the page; then nothing moves any more.
  const count = () => page.locator(".upload-body .number").first().innerText();
  const isStill = async () => { const before = await count(); await page.waitForTimeout(600); return (await count()) === before; };
  if (await until("paused, it goes on", isStill, 5000)) return "paused, it goes on";
  await page.getByRole("button", { name: "再開" }).click();
  const wrong = await untilEnded();
  await page.unroute("**/dicom-web/studies");
  if (wrong) return wrong;
  const files = readdirSync(packed, { recursive: true }).filter((name) => statSync(join(packed, name)).isFile()).length;
  return (await fact("sent")) <= files && (await fact("sent")) > 0 ? sameAsTheCommandLine(batch) : `${await fact("sent")} of ${files} files are on the receipt`;
});

await check("everything_sent_as_the_command_line_sends_it", async () => {
  await page.getByRole("button", { name: "閉じる", exact: true }).click();
  await openDialog();
  await page.locator(".chooser").first().setInputFiles(folder);
  await page.getByRole("checkbox").check();
  batch = await page.getByRole("textbox", { name: "バッチ番号" }).inputValue();
  await page.getByRole("button", { name: "送信を始める" }).click();
  const wrong = (await untilEnded()) || (await sameAsTheCommandLine(batch));
  if (wrong || !program) return wrong;
  // The same folder by `tsunagu push`: the same receipt, but for its id.
  const printed = JSON.parse(execFileSync(program, ["--json", "push", folder, "--to", process.env.PUSH_TO ?? base, "--token", token, "--batch", `${batch}-cli`], { encoding: "utf8" }).trim().split("\n").at(-1));
  const names = await page.locator(".receipt .problems tbody tr td:first-child").allInnerTexts();
  const same = printed.sent === (await fact("sent")) && printed.already_held === (await fact("already_held")) && printed.quarantined.map(({ file }) => file).sort().join() === names.map((name) => name.trim()).sort().join();
  return same ? "" : `push counts ${printed.sent}, ${printed.already_held}, ${printed.quarantined.length}; the page ${await fact("sent")}, ${await fact("already_held")}, ${names.length}`;
});

await check("dialog_holds_the_focus_and_gives_it_back", async () => {
  await page.getByRole("button", { name: "閉じる", exact: true }).click();
  const button = page.getByRole("button", { name: "ファイルを送る" });
  await button.focus();
  await page.keyboard.press("Enter");
  await opening.waitFor();
  for (let press = 0; press < 12; press++) {
    await page.keyboard.press("Tab");
    const where = await page.evaluate(() => (document.activeElement === document.body ? "body" : document.activeElement.closest("dialog") ? "dialog" : document.activeElement.outerHTML.slice(0, 60)));
    if (where !== "dialog" && where !== "body") return `after ${press + 1} tabs the focus is at ${where}`;
  }
  await page.keyboard.press("Escape");
  await opening.waitFor({ state: "detached" });
  return (await button.evaluate((one) => one === document.activeElement)) ? "" : "closed, the focus is somewhere else";
});

await check("receipt_in_english", async () => {
  await page.locator(".settings select").first().selectOption("en");
  await page.getByRole("button", { name: "Send files" }).click();
  await page.locator(".chooser").first().setInputFiles(folder);
  await page.getByRole("textbox", { name: "Batch id" }).fill(batch);
  await page.getByRole("button", { name: "Start sending" }).click();
  const wrong = await untilEnded();
  const text = await page.locator(".receipt").innerText();
  return wrong || (/Stored/.test(text) && (await walkControls(page)) === "" ? "" : `the receipt says ${text.slice(0, 100)}`);
});

kit.checks.console = kit.complaints.filter((text) => !/401|ERR_|409/.test(text)).length === 0 || kit.complaints.filter((text) => !/401|ERR_|409/.test(text))[0];
kit.checks.same_origin = kit.foreign.size === 0 || `asked elsewhere: ${[...kit.foreign]}`;
await kit.finish();
