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

/**
 * The contrast of every text that is in sight against what is painted behind it (WCAG 1.4.3): the first text that falls short, or nothing.
 * What stands on a picture is left out: it has a shadow of its own there.
 */
export async function contrastAsPainted(page) {
  return page.evaluate(() => {
    // Browsers tell computed colours as rgb(), those of color-mix() as color(srgb …).
    const parse = (value) => {
      const numbers = (value.match(/-?[\d.]+(?:e-?\d+)?/g) ?? []).map(Number);
      return value.startsWith("color(srgb") ? [...numbers.slice(0, 3).map((one) => one * 255), numbers[3] ?? 1] : [...numbers.slice(0, 3), numbers[3] ?? 1];
    };
    const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
    const luminance = (colour) => {
      const [red, green, blue] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
      const layers = [];
      for (let one = element; one; one = one.parentElement) {
        if (one.matches(".glass, .stage, .thumb, canvas") || getComputedStyle(one).backgroundImage !== "none") return null;
        const colour = parse(getComputedStyle(one).backgroundColor);
        if (colour[3] > 0) layers.push(colour);
        if (colour[3] === 1) break;
      }
      return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest("[disabled], [aria-disabled=true], option, .skip, [aria-busy=true]")) continue;
      const box = element.getBoundingClientRect();
      if (!box.width || box.bottom < 0 || box.top > innerHeight) continue;
      const back = behind(element);
      if (!back) continue;
      const style = getComputedStyle(element);
      const [a, b] = [luminance(over(parse(style.color), back)), luminance(back)].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) return `${element.tagName}.${element.className} "${node.data.trim().slice(0, 20)}" has ${ratio.toFixed(2)}:1`;
    }
    return "";
  });
}
