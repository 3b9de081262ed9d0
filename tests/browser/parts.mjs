// What the checks of the page's parts share: signing in, and a walk through the accessibility tree.

/** Signs `page` in with a token or a one-time link, and leaves it at the list. */
export async function signIn(page, base, credential) {
  if (credential.includes("/sign-in")) {
    await page.goto(new URL(credential, base).href);
    return;
  }
  await page.goto(`${base}/`);
  await page.locator("#token").fill(credential);
  await page.locator("form.sign-in button").click();
}

const CONTROLS = new Set(["button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "slider", "spinbutton", "switch", "tab", "menuitem", "grid", "table", "dialog", "progressbar", "img", "image", "canvas"]);

/** Walks the accessibility tree of the page: what is wrong with the name of a control, or nothing. */
export async function walkControls(page) {
  const devtools = await page.context().newCDPSession(page);
  const { nodes } = await devtools.send("Accessibility.getFullAXTree");
  await devtools.detach();
  const shown = nodes.filter((node) => !node.ignored);
  const nameless = shown.filter((node) => CONTROLS.has(node.role?.value) && !String(node.name?.value ?? "").trim());
  if (shown.length < 10) return `the tree has ${shown.length} nodes only`;
  return nameless.length ? `without a name: ${nameless.slice(0, 5).map((node) => `${node.role.value} ${JSON.stringify(node.properties?.map(({ name }) => name) ?? [])}`).join("; ")}` : "";
}
