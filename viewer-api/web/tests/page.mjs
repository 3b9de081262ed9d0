// As much of a browser's page as the viewer's modules need to be driven in Node: elements with children, attributes and events. It paints nothing.

class Element extends EventTarget {
  constructor(tag) {
    super();
    const names = new Set();
    const change = (name, on) => (on ? names.add(name) : names.delete(name), on);
    Object.assign(this, { tagName: tag.toUpperCase(), nodes: [], attributes: {}, dataset: {}, parentElement: null, hidden: false, value: "", clientWidth: 800, clientHeight: 600 });
    this.style = { setProperty() {} };
    this.names = names;
    this.classList = { add: (name) => change(name, true), remove: (name) => change(name, false), contains: (name) => names.has(name), toggle: (name, on = !names.has(name)) => change(name, on) };
  }

  get children() { return this.nodes.filter((node) => node instanceof Element); }
  get firstChild() { return this.nodes[0] ?? null; }
  get isConnected() { return true; }
  get textContent() { return this.nodes.map((node) => (node instanceof Element ? node.textContent : String(node))).join(""); }
  set textContent(words) { this.replaceChildren(words); }

  append(...nodes) {
    for (const node of nodes) {
      if (node instanceof Element) { node.remove(); node.parentElement = this; }
      this.nodes.push(node);
    }
  }

  replaceChildren(...nodes) {
    for (const child of this.children) child.parentElement = null;
    this.nodes = [];
    this.append(...nodes);
  }

  remove() {
    if (this.parentElement) this.parentElement.nodes = this.parentElement.nodes.filter((node) => node !== this);
    this.parentElement = null;
  }

  replaceWith(other) {
    const { parentElement } = this;
    if (!parentElement) return;
    parentElement.nodes = parentElement.nodes.map((node) => (node === this ? other : node));
    Object.assign(other, { parentElement });
    this.parentElement = null;
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
    if (name === "class") for (const one of value.split(" ")) this.names.add(one);
    if (["checked", "disabled", "hidden"].includes(name)) this[name] = true;
  }

  getAttribute(name) { return this.attributes[name] ?? null; }
  removeAttribute(name) { delete this.attributes[name]; }
  contains(other) { for (let at = other; at; at = at.parentElement) if (at === this) return true; return false; }
  all(fits) { return this.children.flatMap((child) => [...(fits(child) ? [child] : []), ...child.all(fits)]); }
  querySelectorAll(selector) { return this.all((one) => one.matches(selector)); }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  matches(selector) { return selector.startsWith(".") ? this.names.has(selector.slice(1)) : this.tagName === selector.toUpperCase(); }
  closest(selector) { for (let at = this; at; at = at.parentElement) if (at.matches(selector)) return at; return null; }
  focus() { document.activeElement = this; }
  click() { this.dispatchEvent(new Event("click")); }
  getBoundingClientRect() { return { left: 0, top: 0, width: this.clientWidth, height: this.clientHeight }; }
  setPointerCapture() {}
  getContext() { return new Proxy({}, { get: (context, name) => context[name] ?? (() => {}), set: (context, name, value) => { context[name] = value; return true; } }); }
}

/** Puts a page there; answers its document. */
export function openPage() {
  const document = Object.assign(new Element("html"), { activeElement: null, createElement: (tag) => new Element(tag), body: new Element("body"), head: new Element("head") });
  // A style sheet is here as soon as it is asked for.
  document.head.append = (link) => queueMicrotask(() => link.dispatchEvent(new Event("load")));
  const window = new EventTarget();
  Object.assign(globalThis, { document, addEventListener: window.addEventListener.bind(window), removeEventListener: window.removeEventListener.bind(window), dispatchEvent: window.dispatchEvent.bind(window),
    requestAnimationFrame: (act) => setTimeout(act), cancelAnimationFrame: clearTimeout, ResizeObserver: class { observe() {} unobserve() {} disconnect() {} } });
  return document;
}

/** Lets everything run that does not wait for a clock. */
export async function settle() {
  for (let at = 0; at < 20; at++) await new Promise((resolve) => setImmediate(resolve));
}

/** A promise with its two ends at hand. */
export function promised() {
  const one = {};
  one.promise = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
  return one;
}
