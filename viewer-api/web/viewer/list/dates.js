// Dates as people in Japan type them: 2026-11-23, 20261123, 令和8年11月23日, R8.11.23, 今日, 先月, and ranges of these. All of it is
// local: a day is a day where the reader sits, as Study Date is where the patient lay (PS3.5 §6.2 DA).

// First day of each era. A year of an era that had already ended is read as people write it: S64.3.2 is 1989-03-02.
const ERAS = [
  { name: "明治", letter: "M", from: 1868, to: 1912 }, { name: "大正", letter: "T", from: 1912, to: 1926 },
  { name: "昭和", letter: "S", from: 1926, to: 1989 }, { name: "平成", letter: "H", from: 1989, to: 2019 },
  { name: "令和", letter: "R", from: 2019, to: 9999 },
];
const FIRST_DAYS = [["令和", 20190501], ["平成", 19890108], ["昭和", 19261225], ["大正", 19120730], ["明治", 18680125]];
const YEAR_MIN = 1868;
const YEAR_MAX = 2199;

const two = (number) => String(number).padStart(2, "0");

/** `YYYYMMDD` of a calendar day, or `null` where there is no such day. */
export function day(year, month, date) {
  if (!(year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12 && date >= 1)) return null;
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return date <= last ? `${year}${two(month)}${two(date)}` : null;
}

/** `{from, to}` of a whole month or year. */
export function span(year, month) {
  if (!(year >= YEAR_MIN && year <= YEAR_MAX) || (month !== undefined && !(month >= 1 && month <= 12))) return null;
  if (month === undefined) return { from: `${year}0101`, to: `${year}1231` };
  return { from: day(year, month, 1), to: day(year, month, new Date(Date.UTC(year, month, 0)).getUTCDate()) };
}

/** The common year of a year of an era (`昭和` or `S`, 50 → 1975), or `null`. */
export function eraYear(era, number) {
  const found = ERAS.find(({ name, letter }) => name === era || letter === era.toUpperCase());
  const year = found ? found.from + number - 1 : NaN;
  return number >= 1 && year <= found?.to ? year : null;
}

/** A DA as a year of its era, short: `19750302` → `昭50`. Empty for what is no date. */
export function eraOf(value) {
  if (!/^\d{8}$/.test(value ?? "")) return "";
  const name = FIRST_DAYS.find(([, first]) => Number(value) >= first)?.[0];
  const number = name ? Number(value.slice(0, 4)) - ERAS.find((era) => era.name === name).from + 1 : 0;
  return name ? `${name[0]}${number === 1 ? "元" : number}` : "";
}

// What one date looks like; the groups are the parts. Months and years give a span. NFKC has made full-width forms narrow.
const ERA = "(明治|大正|昭和|平成|令和|[MTSHRmtshr])";
const FORMS = [
  [/^(\d{4})-(\d{1,2})-(\d{1,2})$/, ymd], [/^(\d{4})\/(\d{1,2})\/(\d{1,2})$/, ymd], [/^(\d{4})\.(\d{1,2})\.(\d{1,2})$/, ymd],
  [/^(\d{4})(\d{2})(\d{2})$/, ymd], [/^(\d{4})年\s*(\d{1,2})月\s*(\d{1,2})日?$/, ymd],
  [/^(\d{4})[-/.](\d{1,2})$/, (_, year, month) => span(+year, +month)], [/^(\d{4})年\s*(\d{1,2})月$/, (_, year, month) => span(+year, +month)],
  [/^(\d{4})年$/, (_, year) => span(+year)],
  [new RegExp(`^${ERA}\\s*(\\d{1,2}|元)(?:年\\s*|[-/.])(\\d{1,2})(?:月\\s*|[-/.])(\\d{1,2})日?$`), eraDay],
  [/^([MTSHRmtshr])(\d{2})(\d{2})(\d{2})$/, eraDay],
  [new RegExp(`^${ERA}\\s*(\\d{1,2}|元)(?:年\\s*|[-/.])(\\d{1,2})月?$`), (_, era, year, month) => eraSpan(era, year, +month)],
  [/^(明治|大正|昭和|平成|令和)\s*(\d{1,2}|元)年$/, (_, era, year) => eraSpan(era, year)],
];

function ymd(_, year, month, date) {
  const value = day(+year, +month, +date);
  return value && { from: value, to: value };
}

function eraDay(_, era, number, month, date) {
  const year = eraYear(era, number === "元" ? 1 : +number);
  return year === null ? null : ymd(_, year, month, date);
}

function eraSpan(era, number, month) {
  const year = eraYear(era, number === "元" ? 1 : +number);
  return year === null ? null : span(year, month);
}

/** One date as `{from, to}` (DA, both within), or `null` where the text is none. `today` is a Date. */
export function dateOf(text, today) {
  for (const [form, read] of FORMS) {
    const parts = form.exec(text);
    if (parts) return read(...parts);
  }
  return relative(text.toLowerCase(), today);
}

const asDay = (date) => day(date.getFullYear(), date.getMonth() + 1, date.getDate());
const shifted = (date, days) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);

/** Days that go by a name, from today on. A week begins on Monday (ISO 8601). */
export function relative(word, today) {
  const at = (days) => ({ from: asDay(shifted(today, days)), to: asDay(shifted(today, days)) });
  const monday = -((today.getDay() + 6) % 7);
  const week = (weeks) => ({ from: asDay(shifted(today, monday + 7 * weeks)), to: asDay(shifted(today, monday + 7 * weeks + 6)) });
  const month = (months) => {
    const first = new Date(today.getFullYear(), today.getMonth() + months, 1);
    return span(first.getFullYear(), first.getMonth() + 1);
  };
  switch (word) {
    case "today": case "今日": case "本日": return at(0);
    case "yesterday": case "昨日": return at(-1);
    case "一昨日": return at(-2);
    case "this week": case "今週": return week(0);
    case "last week": case "先週": return week(-1);
    case "this month": case "今月": return month(0);
    case "last month": case "先月": return month(-1);
    case "this year": case "今年": return span(today.getFullYear());
    case "last year": case "昨年": case "去年": return span(today.getFullYear() - 1);
    default: return null;
  }
}

const BETWEEN = /^(.*?)\s*(?:\.\.|〜|~|–|—|から|以降|以前|まで)\s*(.*)$/;
const COMPACT = /^(\d{8})?-(\d{8})?$/;

/** A range as `{from, to}`, either of which may be missing, or `null`: `2026-11-01..2026-11-05`, `2026-11〜`, `20261101-`, `11月まで`. */
export function rangeOf(text, today) {
  const compact = COMPACT.exec(text);
  const parts = compact ?? BETWEEN.exec(text);
  if (!parts) return null;
  const [, first = "", last = ""] = parts.map((part) => (part ?? "").trim());
  const until = /(?:以前|まで)$/.test(text);
  // `A から B まで` says both ends; `B まで` alone says the end only.
  const [begin, end] = until && !/から|以降/.test(text) ? ["", first] : [first, last.replace(/(?:以前|まで)$/, "").trim()];
  const [from, to] = [begin && dateOf(begin, today), end && dateOf(end, today)];
  if (from === null || to === null || (!from && !to)) return null;
  const range = { ...(from && { from: from.from }), ...(to && { to: to.to }) };
  return range.from && range.to && range.from > range.to ? null : range;
}
