// Says when the link to the server is slow or broken, and goes on by itself. What the page fetches is measured by the browser once it has ended (Resource
// Timing); a frame that is still under way is counted by its "tsunagu:bytes" until then. When the server can be reached again, the window has "tsunagu:linked".

import { fill, h, styleSheet } from "../dom.js";
import { addWords, t } from "../i18n.js";
import { Speed } from "./speed.js";
import { WORDS } from "./words.js";

addWords(WORDS);
const LOOK_MS = 2_000;
const BACK_MS = 4_000;
const AGAIN_MS_MAX = 30_000;
/** What is asked for to see whether the server is there: small, and never kept. */
const PROBE = new URL("../icon.svg", import.meta.url);

const speed = new Speed();
let [box, state, attempt, timer, next_at, drawn] = [null, "good", 0, 0, 0, ""];

// A request came to nothing for want of a connection.
function broke() {
  if (state !== "broken") become("broken");
}

/** Begins to watch; once. */
export function watchLink() {
  if (box) return;
  styleSheet(new URL("./link.css", import.meta.url));
  box = h("div", { class: "link-state", role: "status", "aria-label": t("linkName"), hidden: true });
  document.body.append(box);
  new PerformanceObserver((list) => list.getEntries().forEach(see)).observe({ type: "resource", buffered: true });
  addEventListener("tsunagu:bytes", ({ detail: { url, ...more } }) => speed.came({ url: new URL(url, location.href).href, ...more }));
  addEventListener("tsunagu:broke", broke);
  addEventListener("offline", broke);
  addEventListener("online", look);
  setInterval(() => !document.hidden && draw(), LOOK_MS);
  if (navigator.onLine === false) broke();
}

function see({ name: url, transferSize, decodedBodySize, startTime, responseStart, responseEnd }) {
  if (new URL(url).origin !== location.origin) return;
  const request = { url, asked_ms: startTime, end_ms: responseEnd };
  if (transferSize > 0 && responseStart > 0 && responseEnd > responseStart) speed.ended(request, { bytes: transferSize, start_ms: responseStart, end_ms: responseEnd });
  // Of a request that was given up the browser says nothing: what was counted stays.
  else if (decodedBodySize > 0) speed.ended(request, null);
}

function become(next) {
  state = next;
  clearTimeout(timer);
  if (state === "broken") wait();
  else attempt = 0;
  draw();
}

function wait() {
  const ms = Math.min(AGAIN_MS_MAX, 1000 * 2 ** attempt++);
  next_at = performance.now() + ms;
  timer = setTimeout(look, ms);
}

async function look() {
  if (state !== "broken") return;
  clearTimeout(timer);
  try {
    // A 404 is an answer, too: somebody is there.
    await fetch(PROBE, { cache: "no-store", credentials: "same-origin" });
  } catch {
    wait();
    draw();
    return;
  }
  become("back");
  dispatchEvent(new Event("tsunagu:linked"));
  timer = setTimeout(() => state === "back" && become("good"), BACK_MS);
}

function draw() {
  const { slow, rate } = speed.judge(performance.now());
  const seconds = Math.max(1, Math.ceil((next_at - performance.now()) / 1000));
  const said = state === "broken" ? (navigator.onLine === false ? t("linkOffline") : t("linkGone", { s: seconds })) : state === "back" ? t("linkBack") : slow ? t("linkRate", { rate: rate.toFixed(1) }) : "";
  if (said === drawn) return;
  drawn = said;
  box.hidden = !said;
  box.classList.toggle("bad", state === "broken");
  // A number that counts down is not read out again and again.
  box.setAttribute("aria-live", state === "broken" && attempt > 1 ? "off" : "polite");
  fill(box, h("p", {}, said), state === "broken" ? h("button", { type: "button", on: { click: look } }, t("linkNow")) : "");
}
