// The rows of a long list as far as they are looked at: pages are fetched as they come into sight, and kept up to a bound.

/** Rows of one page. */
export const PAGE_ROWS = 100;
/** Rows kept at the most: about a kilobyte each. */
export const KEPT_ROWS_MAX = 5_000;
/** Rows a list is drawn with at the most: browsers do not draw boxes of any height. */
export const DRAWN_ROWS_MAX = 50_000;

/**
 * Holds the pages of one search. `fetchPage(offset, limit)` answers `{studies, total, …}`; `onPage` is called when one has come,
 * `onError` when one did not.
 */
export class Pages {
  constructor(fetchPage, onPage, onError) {
    Object.assign(this, { fetchPage, onPage, onError, pages: new Map(), asked: new Map(), total: null, answer: null });
  }

  /** The row at `index`; `undefined` where it is not here. */
  row(index) {
    const number = Math.floor(index / PAGE_ROWS);
    const page = this.pages.get(number);
    if (!page) return undefined;
    // The one looked at last goes last.
    this.pages.delete(number);
    this.pages.set(number, page);
    return page[index % PAGE_ROWS];
  }

  /** Sees to it that rows `first` to `last` come; what was asked for and is not looked at any more is taken back. */
  want(first, last) {
    const wanted = new Set();
    for (let page = Math.floor(first / PAGE_ROWS); page <= Math.floor(last / PAGE_ROWS); page++) wanted.add(page);
    for (const [page, stop] of this.asked) {
      if (wanted.has(page) || this.total === null) continue;
      stop.abort();
      this.asked.delete(page);
    }
    for (const page of wanted) if (!this.pages.has(page) && !this.asked.has(page)) this.ask(page);
  }

  async ask(number) {
    const stop = new AbortController();
    this.asked.set(number, stop);
    try {
      const answer = await this.fetchPage(number * PAGE_ROWS, PAGE_ROWS, stop.signal);
      if (stop.signal.aborted) return;
      this.keep(number, answer);
      this.onPage(answer);
    } catch (error) {
      if (error.name !== "AbortError" && !stop.signal.aborted) this.onError(error);
    } finally {
      if (this.asked.get(number) === stop) this.asked.delete(number);
    }
  }

  keep(number, answer) {
    this.answer = answer;
    this.total = answer.total;
    this.pages.set(number, answer.studies);
    while (this.pages.size * PAGE_ROWS > KEPT_ROWS_MAX) this.pages.delete(this.pages.keys().next().value);
  }

  /** Takes back everything that is on its way. */
  dispose() {
    for (const stop of this.asked.values()) stop.abort();
    this.asked.clear();
  }
}

/** Which rows of `total` are in sight: `{first, last}`, with some beyond either edge. */
export function inSight({ top, height, rowHeight, total, beyond }) {
  const first = Math.max(0, Math.floor(top / rowHeight) - beyond);
  const last = Math.min(total - 1, Math.ceil((top + height) / rowHeight) + beyond);
  return { first: Math.min(first, Math.max(0, total - 1)), last };
}
