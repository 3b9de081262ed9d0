// How fast the link is, by what has come over it. Many requests share one line: what counts is the bytes of all of them in the time in which
// at least one was under way. What came out of a cache says nothing.

/** Transfers that are looked at: those that ended within so long. */
export const WINDOW_MS = 20_000;
/** Fewer bytes say nothing: they are all waiting and no line. */
const BYTES_MIN = 200_000;
/** Shorter times say nothing. */
const BUSY_MS_MIN = 1_000;
/** Slower than this is told. */
export const SLOW_MBIT_S = 2;
/** What was told is taken back when it is so much faster: nothing flickers at the border. */
const FAST_FACTOR = 1.5;
const KEPT_MAX = 500;
/** What a request that still runs has brought is counted in pieces so long: the last 20 seconds are looked at, not all it took. */
const PIECE_MS = 2_000;
/** Between when a request is made and what the browser calls its start. */
const SAME_MS = 50;

/** Gathers transfers `{start_ms, end_ms, bytes}` and says how fast the line is. */
export class Speed {
  constructor() {
    this.transfers = [];
    this.slow = false;
  }

  add(transfer) {
    this.transfers.push(transfer);
    if (this.transfers.length > KEPT_MAX) this.transfers.shift();
  }

  /** Bytes of a request that still runs: made at `asked_ms`, answered at `begun_ms`, come until `end_ms`. */
  came({ url, asked_ms, begun_ms, end_ms, bytes }) {
    let piece = this.transfers.findLast((one) => one.url === url && one.asked_ms === asked_ms);
    if (!piece || piece.end_ms - piece.start_ms > PIECE_MS) this.add(piece = { url, asked_ms, start_ms: piece?.end_ms ?? begun_ms, end_ms, bytes: 0 });
    piece.bytes += bytes;
    piece.end_ms = end_ms;
  }

  /** A request ended: `transfer`, as the browser measured it, stands for all that was counted of it; `null` where it came out of a cache. */
  ended({ url, asked_ms, end_ms }, transfer) {
    this.transfers = this.transfers.filter((one) => one.url !== url || one.asked_ms < asked_ms - SAME_MS || one.asked_ms > end_ms);
    if (transfer) this.add(transfer);
  }

  /** Mbit/s of what ended within the window before `now_ms`, or `null` where that is too little to say. */
  rate(now_ms) {
    const recent = this.transfers.filter(({ end_ms }) => end_ms > now_ms - WINDOW_MS).sort((a, b) => a.start_ms - b.start_ms);
    let [bytes, busy_ms, until] = [0, 0, -Infinity];
    for (const { start_ms, end_ms, bytes: more } of recent) {
      bytes += more;
      busy_ms += Math.max(0, end_ms - Math.max(start_ms, until));
      until = Math.max(until, end_ms);
    }
    return bytes >= BYTES_MIN && busy_ms >= BUSY_MS_MIN ? (bytes * 8) / busy_ms / 1000 : null;
  }

  /** Whether the line is slow now, and how fast it is. Where nothing more is said of it, it is not slow. */
  judge(now_ms) {
    const rate = this.rate(now_ms);
    this.slow = rate !== null && rate < SLOW_MBIT_S * (this.slow ? FAST_FACTOR : 1);
    return { slow: this.slow, rate };
  }
}
