// Proves that every pair of colours the style sheets put together can be told apart: WCAG 2.2 AA, 4.5:1 for text (1.4.3) and 3:1 for the
// edges of fields and for the focus (1.4.11), in both themes; and that nobody who asked for less motion gets any.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../viewer/", import.meta.url);
const sheets = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".css")).map((name) => [name, readFileSync(new URL(name, folder), "utf8").replace(/\/\*[\s\S]*?\*\//g, "")]);
const main = sheets.find(([name]) => name === "style.css")[1];

/** Rules as `[selector, {property: value}]`; those within a media query, too. */
function rules(css) {
  return [...css.matchAll(/([^{}]+)\{([^{}]*)\}/g)].map(([, selector, body]) => [selector.trim(), Object.fromEntries([...body.matchAll(/([\w-]+)\s*:\s*([^;]+)/g)].map(([, key, value]) => [key, value.trim()]))]);
}

const [light, dark, darkBySystem] = [":root", ':root[data-theme="dark"]', ":root:not([data-theme])"].map((wanted) => rules(main).find(([selector]) => selector === wanted)[1]);
const themes = { light, dark };

function rgb(value, theme) {
  const named = /^var\((--[\w-]+)\)$/.exec(value);
  if (named) return rgb(theme[named[1]] ?? "", theme);
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(value)?.[1];
  if (!hex) return null;
  const full = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
  return [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16) / 255);
}

// Relative luminance and contrast ratio (WCAG 2.2, definitions).
function luminance(colour) {
  const [red, green, blue] = colour.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function ratio(one, other) {
  const [more, less] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (more + 0.05) / (less + 0.05);
}

function check(name, front, back, least) {
  for (const [theme, colours] of Object.entries(themes)) {
    const [a, b] = [rgb(front, colours), rgb(back, colours)];
    assert.ok(a && b, `${name}: ${front} on ${back} is no colour in ${theme}`);
    assert.ok(ratio(a, b) >= least, `${name}, ${theme}: ${front} on ${back} is ${ratio(a, b).toFixed(2)}:1, less than ${least}:1`);
  }
}

test("the ratio is that of the definition", () => {
  assert.equal(ratio([1, 1, 1], [0, 0, 0]), 21);
  assert.equal(ratio(rgb("#777", {}), rgb("#fff", {})).toFixed(2), "4.48");
});

test("the dark theme is the same by choice and by the system", () => assert.deepEqual(darkBySystem, dark));

test("text can be read on every ground it stands on", () => {
  for (const ground of ["--ground", "--surface", "--chosen"]) check("text", "var(--text)", `var(${ground})`, 4.5);
  for (const ground of ["--ground", "--surface"]) for (const colour of ["--faint", "--accent", "--problem"]) check(colour, `var(${colour})`, `var(${ground})`, 4.5);
  check("buttons", "var(--accent-text)", "var(--accent)", 4.5);
  check("problems", "var(--problem)", "var(--problem-ground)", 4.5);
});

test("the focus and the edges of fields can be seen", () => {
  for (const ground of ["--ground", "--surface", "--chosen", "--problem-ground"]) check("focus", "var(--focus)", `var(${ground})`, 3);
  for (const ground of ["--ground", "--surface"]) check("edge", "var(--edge)", `var(${ground})`, 3);
});

test("every rule that sets a colour and its ground sets a pair that can be read", () => {
  let pairs = 0;
  for (const [sheet, css] of sheets) {
    for (const [selector, { color, background }] of rules(css)) {
      if (!color || !background || color === "inherit" || background === "none" || !rgb(background, light)) continue;
      pairs++;
      check(`${sheet} ${selector}`, color, background, 4.5);
    }
  }
  assert.ok(pairs >= 5, `${pairs} pairs were found`);
});

test("a colour that is no property of a theme stands on the black of the reading area, and can be read there", () => {
  for (const [sheet, css] of sheets) {
    for (const [selector, { color, background }] of rules(css)) {
      if (!/^#/.test(color ?? "") || background || selector.includes("print") || color === "#000") continue;
      assert.ok(ratio(rgb(color, {}), [0, 0, 0]) >= 4.5, `${sheet} ${selector}: ${color} on black`);
    }
  }
});

test("who asked for less motion gets none", () => {
  assert.match(main, /prefers-reduced-motion: reduce[\s\S]*animation: none !important; transition: none !important/);
  // Nothing may claim to be more important than that.
  for (const [sheet, css] of sheets.filter(([name]) => name !== "style.css")) assert.doesNotMatch(css, /(animation|transition)[^;{}]*!important/, sheet);
});
