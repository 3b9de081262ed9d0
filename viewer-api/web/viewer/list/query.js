// What a person typed, understood: tokens that all hold, each of alternatives of which one does. `1975-03-02` may be a birth date or
// the date of a study, `19750302` an ID besides; which of them it is, the archive knows.

import { dateOf, rangeOf } from "./dates.js";

/** Tokens of one search at the most, as the server takes them. */
export const TOKENS_MAX = 16;
const TEXT_CHARS_MAX = 64;

// Codes of Modality (PS3.3 C.7.3.1.1.1) that people type, and what they call them.
const CODES = ["CT", "MR", "DX", "CR", "MG", "RF", "XA", "US", "PT", "NM", "ES", "OP", "OPT", "ECG", "SR", "DOC", "OT", "IO", "PX", "SM", "GM", "XC", "IVUS", "BMD", "KO", "PR"];
const WORDS = {
  "mri": ["MR"], "pet": ["PT"], "x線": ["DX", "CR"], "レントゲン": ["DX", "CR"], "マンモ": ["MG"], "マンモグラフィ": ["MG"], "マンモグラフィー": ["MG"],
  "超音波": ["US"], "エコー": ["US"], "心電図": ["ECG"], "内視鏡": ["ES"], "眼底": ["OP"], "透視": ["RF"], "血管造影": ["XA"], "レポート": ["SR"],
};
// A field may be named before a colon.
const FIELDS = {
  name: "name", 氏名: "name", 名前: "name", id: "id", 患者id: "id", 受付: "accession", 受付番号: "accession", acc: "accession", accession: "accession",
  施設: "centre", centre: "centre", center: "centre", site: "centre", 生年月日: "birth", 生: "birth", birth: "birth", born: "birth", dob: "birth",
  検査日: "study", 日付: "study", date: "study", モダリティ: "modality", mod: "modality", modality: "modality",
};
// Dates that have spaces in them, and ranges with spaces round their sign; everything else ends at a space.
const WITH_SPACES = new RegExp([
  "(?:明治|大正|昭和|平成|令和)\\s*(?:\\d{1,2}|元)年(?:\\s*\\d{1,2}月(?:\\s*\\d{1,2}日?)?)?(?!\\S)", "\\d{4}年\\s*\\d{1,2}月(?:\\s*\\d{1,2}日?)?(?!\\S)", "(?:this|last) (?:week|month|year)(?!\\S)",
  "\\S+\\s*(?:\\.\\.|〜|~|–|—)\\s*\\S+",
].join("|"), "iy");

/**
 * Reads `text`. Answers `{text, tokens}`: the text as it was understood (NFKC), and for each token `{kind, label, from, to, group}`: where
 * it stands in that text, and its alternatives as `POST /search` takes them. `today` is a Date.
 */
export function parse(text, today = new Date()) {
  const plain = text.normalize("NFKC");
  const tokens = [];
  for (let at = 0; at < plain.length && tokens.length < TOKENS_MAX;) {
    if (/\s/.test(plain[at])) {
      at++;
      continue;
    }
    const raw = rawAt(plain, at, today);
    tokens.push({ ...understood(raw, today), from: at, to: at + raw.length });
    at += raw.length;
  }
  return { text: plain, tokens };
}

/** The groups of `POST /search`. */
export function groups(tokens) {
  return tokens.map(({ group }) => group);
}

/** The text without one of its tokens. */
export function without({ text }, token) {
  return `${text.slice(0, token.from)} ${text.slice(token.to)}`.replace(/\s+/g, " ").trim();
}

function rawAt(plain, at, today) {
  WITH_SPACES.lastIndex = at;
  const spaced = WITH_SPACES.exec(plain)?.[0];
  if (spaced && (dateOf(spaced, today) || rangeOf(spaced, today))) return spaced;
  return /^\S+/.exec(plain.slice(at))[0];
}

function understood(raw, today) {
  const named = /^([^:]{1,8}):(.+)$/.exec(raw);
  const field = named && Object.hasOwn(FIELDS, named[1].toLowerCase()) ? FIELDS[named[1].toLowerCase()] : null;
  const found = field ? ofField(field, named[2], today) : null;
  return found ?? dates(raw, today) ?? modality(raw) ?? identifier(raw) ?? word(raw);
}

const cut = (text) => [...text].slice(0, TEXT_CHARS_MAX).join("");

function ofField(field, value, today) {
  const text = cut(value);
  switch (field) {
    case "name": return { kind: "name", label: text, group: [{ name: text }] };
    case "id": return { kind: "id", label: text, group: [{ patient_id: text }] };
    case "accession": return { kind: "accession", label: text, group: [{ accession_number: text }] };
    case "centre": return { kind: "centre", label: text, group: [{ centre: text }] };
    case "modality": return modality(text.toUpperCase()) ?? modality(text);
    default: {
      const range = dateOf(value, today) ?? rangeOf(value, today);
      return range && { kind: field, label: labelOf(range), group: [{ [field === "birth" ? "birth_date" : "study_date"]: range }] };
    }
  }
}

// A day may be one of birth or of a study. Longer spans are of studies, unless they lie so far back that there were no such studies.
const BIRTH_YEARS = 20;

function dates(raw, today) {
  const one = dateOf(raw, today);
  const range = one ?? rangeOf(raw, today);
  if (!range) return null;
  const isDay = one && one.from === one.to && !/[^\d年月日./\-MTSHR明治大正昭和平成令元\s]/i.test(raw);
  const isLongAgo = Boolean(range.to) && Number(range.to.slice(0, 4)) < today.getFullYear() - BIRTH_YEARS;
  const group = [{ study_date: range }];
  if (isDay || isLongAgo) group.unshift({ birth_date: range });
  // Without a sign between its parts it may be a number all the same.
  if (/^[A-Za-z]?\d+$/.test(raw)) group.push({ patient_id: raw }, { accession_number: raw });
  return { kind: group.length > 1 ? "day" : "study", label: labelOf(range), group };
}

function labelOf({ from, to }) {
  const shown = (value) => (value ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}` : "");
  return from === to ? shown(from) : `${shown(from)} – ${shown(to)}`.trim();
}

// In capitals it is the code; in small letters a name may begin so (`ot` is on the way to Ota).
function modality(raw) {
  const codes = WORDS[raw.toLowerCase()] ?? (CODES.includes(raw.toUpperCase()) ? [raw.toUpperCase()] : null);
  if (!codes) return null;
  const group = codes.map((code) => ({ modality: code }));
  if (/^[a-z]+$/.test(raw)) group.push({ name: raw });
  return { kind: "modality", label: codes.join("・"), group };
}

function identifier(raw) {
  if (!/\d/.test(raw)) return null;
  const text = cut(raw);
  return { kind: "id", label: text, group: [{ patient_id: text }, { accession_number: text }, { centre: text }] };
}

function word(raw) {
  const text = cut(raw);
  const group = [{ name: text }, { centre: text }];
  if (/^[\x21-\x7e]*[-_*/.][\x21-\x7e]*$/.test(text)) group.push({ patient_id: text }, { accession_number: text });
  return { kind: "name", label: text, group };
}
