// Small helpers over the DOM. No HTML strings anywhere: what comes out of a file is text and stays text.

/**
 * Makes an element. `props` keys: `class`, `dataset`, `on` (event → handler), `aria-*` and other attributes;
 * `false`, `null` and `undefined` leave an attribute out, `true` writes it empty. Children may be nested, empty or strings.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [type, handler] of Object.entries(value)) element.addEventListener(type, handler);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** Puts `children` in place of what `element` held. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Calls `action` once, `wait_ms` after the last of many calls. */
export function debounce(action, wait_ms) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), wait_ms);
  };
}

/** A labelled `<select>`; `options` are `[value, label]` pairs. */
export function select(label, options, value, onChange, props = {}) {
  const box = h("select", { "aria-label": label, ...props, on: { change: () => onChange(box.value) } },
    options.map(([key, text]) => h("option", { value: key }, text)));
  box.value = value;
  return h("label", { class: "field" }, h("span", {}, label), box);
}

const sheets = new Map();

/** Loads the style sheet at `url` once, for a part of the page that is loaded when first used; resolves when it holds. */
export function styleSheet(url) {
  const address = String(url);
  if (!sheets.has(address)) {
    sheets.set(address, new Promise((resolve) => {
      document.head.append(h("link", { rel: "stylesheet", href: address, on: { load: resolve, error: resolve } }));
    }));
  }
  return sheets.get(address);
}
