// The front door: header, language, theme, and which page an address means.
//
// Addresses hold a Study Instance UID at most, never a name, an ID or a date of birth: they end up in histories and logs.

import { onSignInNeeded } from "./api.js";
import { fill, h, select } from "./dom.js";
import { language, setLanguage, t } from "./i18n.js";
import { problemBox } from "./problem.js";
import { showSignIn } from "./session.js";
import { remember, remembered, showTheme } from "./settings.js";
import { showStudy } from "./study.js";

const STUDY = /^#\/study\/([0-9.]{1,64})$/;
// A worklist's id is opaque; what is read in it is never in the address.
const READING = /^#\/reading(?:\/([\w.-]{1,64})(?:\/(adjudication))?)?$/;
const UNSET = { dispose() {} };
let page = UNSET;
let main = null;

function header() {
  const languages = select(t("language"), [["ja", "日本語"], ["en", "English"]], language(), (value) => {
    remember("language", value);
    setLanguage(value);
    draw();
  });
  const themes = select(t("theme"), [["auto", t("themeAuto")], ["light", t("themeLight")], ["dark", t("themeDark")]],
    remembered("theme", "auto"), (value) => {
      remember("theme", value);
      showTheme(value);
    });
  return h("header", { class: "masthead" }, h("a", { class: "skip", href: "#main", on: { click: toMain } }, t("skip")),
    h("a", { class: "brand", href: "#/studies" }, t("title")), h("div", { class: "place", id: "place" }),
    h("a", { class: "crumb", href: "#/reading" }, t("reading")), h("div", { class: "settings" }, languages, themes));
}

// `#main` would be read as an address of ours; only the focus moves.
function toMain(event) {
  event.preventDefault();
  main.focus();
}

/** Draws the whole document anew: header, then the page of the address. */
function draw() {
  document.documentElement.lang = language();
  document.title = t("title");
  main = h("main", { id: "main", tabindex: "-1" });
  fill(document.getElementById("app"), header(), main);
  route();
}

function route() {
  page.dispose();
  page = UNSET;
  // A page that was left before it was drawn draws into what is shown no more.
  const [left, place] = [main, h("div", { class: "place", id: "place" })];
  main = h("main", { id: "main", tabindex: "-1" });
  left.replaceWith(main);
  document.getElementById("place").replaceWith(place);
  const study = STUDY.exec(location.hash)?.[1];
  const reading = READING.exec(location.hash);
  if (study) page = showStudy(main, place, study);
  else if (reading) page = later(import("./reading/page.js"), ({ showReading }) => showReading(main, place, reading[1], reading[2]));
  else page = later(import("./list/list.js"), ({ showList }) => showList(main, place));
}

// A part that is loaded when first used. Who has gone on before it came is left where he is: it is not shown any more.
function later(part, show) {
  const shown = { gone: false, page: UNSET, dispose() { this.gone = true; this.page.dispose(); } };
  const present = async () => {
    const loaded = await part;
    if (shown.gone) return;
    shown.page = await show(loaded);
    if (shown.gone) shown.page.dispose();
  };
  present().catch((error) => !shown.gone && fill(main, problemBox(error, () => location.reload())));
  return shown;
}

// Several requests may be refused at once; the first one asks, the others must not empty what is being typed.
function askToSignIn() {
  if (main.querySelector(".sign-in")) return;
  page.dispose();
  page = UNSET;
  showSignIn(main, route);
}

setLanguage(remembered("language", navigator.language?.startsWith("ja") === false ? "en" : "ja"));
showTheme(remembered("theme", "auto"));
onSignInNeeded(askToSignIn);
// How the link is, is told once there is time for it: nothing of it comes before the first picture.
const watch = () => import("./link/link.js").then(({ watchLink }) => watchLink()).catch(() => {});
const watchSoon = () => (window.requestIdleCallback ?? setTimeout)(watch);
if (document.readyState === "complete") watchSoon();
else addEventListener("load", watchSoon);
addEventListener("hashchange", route);
draw();
