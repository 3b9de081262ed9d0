// The narrative block of a CDA section (HL7 CDA Release 2, 4.3.5) made anew of a few elements of our own; anything else becomes its text.

const MADE = { paragraph: "p", list: "ul", item: "li", table: "table", thead: "thead", tbody: "tbody", tr: "tr", th: "th", td: "td", br: "br", caption: "p" };
const DEPTH_MAX = 30;

/** What `node` says, made by `make(tag, attributes, ...children)`; no attribute of the document is taken over. */
export function narrative(node, make, depth = 0) {
  if (depth > DEPTH_MAX) return [];
  return [...node.childNodes].flatMap((child) => {
    if (child.nodeType === 3 || child.nodeType === 4) return child.nodeValue.trim() ? [child.nodeValue.replace(/[ \t\r\n]+/g, " ")] : [];
    if (child.nodeType !== 1) return [];
    const tag = Object.hasOwn(MADE, child.localName) ? MADE[child.localName] : null;
    const inside = narrative(child, make, depth + 1);
    return tag ? [make(tag, {}, inside)] : inside;
  });
}
