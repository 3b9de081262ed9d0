// Finding codes by typing: what is meant by "wpw", "右脚" or "3-1". No DOM.

const SHOWN_MAX = 8;
const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/[ァ-ヶ]/g, (one) => String.fromCharCode(one.charCodeAt(0) - 0x60)).trim();

// Lower is better: the code itself, then the beginning of a word, then anywhere.
function rank({ code, ja, en }, wanted) {
  const [number, kanji, latin] = [code, ja, en].map(plain);
  if (number === wanted) return 0;
  if (number.startsWith(wanted)) return 1;
  if (kanji.startsWith(wanted) || latin.startsWith(wanted)) return 2;
  if (latin.split(/[^a-z0-9°]+/).some((word) => word.startsWith(wanted))) return 3;
  return kanji.includes(wanted) || latin.includes(wanted) ? 4 : -1;
}

/** The codes that fit what was typed, best first, at most eight; those `chosen` already are left out. */
export function findCodes(codes, typed, chosen = []) {
  const wanted = plain(typed);
  if (!wanted) return [];
  return codes.map((code, at) => ({ code, at, rank: rank(code, wanted) })).filter(({ code, rank: found }) => found >= 0 && !chosen.includes(code.code))
    .sort((one, other) => one.rank - other.rank || one.at - other.at).slice(0, SHOWN_MAX).map(({ code }) => code);
}
