// The plain page of a browser that is not signed in: paste a token, get a session cookie (set by the server, HttpOnly).

import { signIn } from "./api.js";
import { fill, h } from "./dom.js";
import { t } from "./i18n.js";

/** Where the server sends whoever follows a one-time link that is good no more. */
const LINK_OVER = "#/link-over";

/** Shows the sign-in page in `main`; `done` is called once the server has accepted the token. */
export function showSignIn(main, done) {
  const token = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const message = h("p", { class: "error", role: "alert" });
  const form = h("form", { class: "sign-in", on: { submit: (event) => send(event, token, message, done) } },
    h("h1", {}, t("signInTitle")), h("p", {}, t("signInWhy")),
    h("label", { for: "token" }, t("signInToken")), token, h("button", { type: "submit", class: "primary" }, t("signInSend")), message);
  fill(main, form);
  if (location.hash === LINK_OVER) message.textContent = t("signInLinkOver");
  token.focus();
}

async function send(event, token, message, done) {
  event.preventDefault();
  message.textContent = "";
  try {
    if (await signIn(token.value.trim())) done();
    else message.textContent = t("signInRefused");
  } catch {
    message.textContent = t("signInBroken");
  }
  token.value = "";
}
