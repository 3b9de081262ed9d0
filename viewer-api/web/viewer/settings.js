// What this browser remembers between visits: how things look, never about whom: no name, ID, date or UID. `listSeen` is a take-in number.

const PREFIX = "tsunagu.";
const KNOWN = new Set(["language", "theme", "ecgPixelsPerMm", "listSeen", "graphics"]);

/** Reads one remembered setting; `fallback` where nothing is kept or the browser keeps nothing. */
export function remembered(key, fallback) {
  try {
    return localStorage.getItem(PREFIX + key) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Keeps one setting; only the keys named above are allowed. */
export function remember(key, value) {
  if (!KNOWN.has(key)) throw new Error(`setting ${key} is not one that may be kept`);
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // A private window without storage: the setting lasts as long as the page.
  }
}

/** Shows `theme` ("auto", "light" or "dark"); "auto" follows the system. */
export function showTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
