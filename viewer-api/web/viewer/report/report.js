// A structured report as a page people read: headings for containers, tables for measurements, references that lead to the image.

import { formatDate, formatTime, text } from "../dicom.js";
import { fill, h, styleSheet } from "../dom.js";
import { downloads } from "../downloads.js";
import { t } from "../i18n.js";
import { ITEMS_MAX, reportTree } from "./tree.js";

const DERIVATION = "121401";
/** A group of so many values or more reads better as a table. */
const TABLE_LEAST = 2;

/** Shows the report in `place`; `frames.of(key)` names a frame of the study, `frames.goTo(key)` shows it. Returns `{dispose}`. */
export async function showReport(place, { instance, address, frames = null }) {
  await styleSheet(new URL("./report.css", import.meta.url));
  fill(place, new Page(instance, address, frames).element);
  return { dispose() {} };
}

class Page {
  constructor(instance, address, frames) {
    this.frames = frames;
    const tree = reportTree(instance);
    const when = [formatDate(text(instance, "ContentDate")), formatTime(text(instance, "ContentTime"))].filter(Boolean).join(" ");
    const codes = h("input", { type: "checkbox", on: { change: () => this.element.classList.toggle("coded", codes.checked) } });
    this.element = h("article", { class: "page report" }, h("h2", {}, tree.name || text(instance, "SeriesDescription") || t("reportTitle"), this.code(tree.concept)),
      h("p", { class: "faint" }, [when, stateOf(instance)].filter(Boolean).join("　")), h("label", { class: "report-codes faint" }, codes, t("reportCodes")),
      tree.children.length ? this.section(tree.children, 3) : h("p", {}, t("reportEmpty")),
      tree.cut ? h("p", { class: "error" }, t("reportCut", { n: ITEMS_MAX })) : "",
      h("p", {}, downloads(() => address)));
  }

  // Containers become sections with headings, groups of values tables, everything else a line of name and value, with what qualifies it below.
  section(children, level) {
    const parts = [];
    let list = null;
    for (const child of gathered(children)) {
      if (child.container) {
        list = null;
        const heading = child.name && h(`h${Math.min(6, level)}`, {}, child.name, this.code(child.concept));
        parts.push(h("section", {}, heading, this.container(child, level)));
      } else {
        if (!list) parts.push(list = h("dl", {}));
        list.append(this.line(child, level));
      }
    }
    return parts;
  }

  container({ children }, level) {
    const values = children.filter((child) => child.number);
    if (values.length < TABLE_LEAST) return children.length ? this.section(children, level + 1) : "";
    return [this.section(children.filter((child) => !child.number), level + 1), this.table(values)];
  }

  table(values) {
    const placed = values.some((value) => imagesUnder(value).length);
    const titles = [t("reportMeasure"), t("reportValue"), t("reportUnit"), ...(placed ? [t("reportOn")] : [])];
    return h("table", {}, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, values.map((value) => {
        const derivation = value.children.find((child) => child.concept?.value === DERIVATION);
        const images = imagesUnder(value);
        return h("tr", {}, h("th", { scope: "row" }, [value.name, derivation?.value].filter(Boolean).join("　"), this.code(value.concept), derivation ? this.code(derivation.code) : null),
          h("td", { class: "number" }, value.number.value), h("td", {}, value.number.unit, this.code(value.number.code)), placed && h("td", {}, images.map((key) => this.image(key))));
      })));
  }

  line(child, level) {
    const value = child.key && !(child.references > 1) ? this.image(child.key) : child.value || "–";
    return h("div", { class: "line" }, h("dt", {}, child.name || "–", this.code(child.concept)),
      h("dd", {}, value, this.code(child.code ?? child.number?.code), child.children.length ? this.section(child.children, level + 1) : ""));
  }

  // A button where the image is of this study, else words.
  image(key) {
    const frame = this.frames?.of(key);
    if (!frame) return h("span", { class: "faint" }, t("reportElsewhere", { uid: key.split("/")[0].slice(-12) }));
    const number = Number(frame.instance.NumberOfFrames) > 1 ? frame.number : frame.instance.InstanceNumber ?? "–";
    return h("button", { type: "button", class: "report-image", on: { click: () => this.frames.goTo(key) } }, t("reportPlace", { series: frame.series.SeriesNumber ?? "–", image: number }));
  }

  code(code) {
    return code?.value ? h("span", { class: "report-code" }, `(${code.value}, ${code.scheme})`) : null;
  }
}

function imagesUnder(node) {
  return [...new Set(node.children.flatMap((child) => [child.key, ...imagesUnder(child)]).filter(Boolean))];
}

function stateOf(instance) {
  const complete = { COMPLETE: "reportComplete", PARTIAL: "reportPartial" }[text(instance, "CompletionFlag")];
  const verified = { VERIFIED: "reportVerified", UNVERIFIED: "reportUnverified" }[text(instance, "VerificationFlag")];
  return [complete, verified].filter(Boolean).map((key) => t(key)).join(" / ");
}

// An image library names hundreds of images one by one: unnamed references in a row become one line with their number.
function gathered(children) {
  const parts = [];
  for (const child of children) {
    const plain = child.reference && !child.name && !child.children.length;
    const last = parts.at(-1);
    if (plain && last?.references) last.references++;
    else parts.push(plain ? { ...child, name: t("reportImageRef"), references: 1 } : child);
  }
  return parts.map((part) => (part.references > 1 ? { ...part, value: t("reportImageRefs", { n: part.references }) } : part));
}
