// Verdicts on their way: durable here before the next trace is shown, then sent in order, exactly once. No DOM.
//
// Exactly once: each has an id made here, and the server saves an id once. So whatever is not known to have arrived is sent again:
// after a cut, after a reload. A record leaves only when the server has said "saved"; a refused one stays and is shown.
//
// Several readers use one computer. The server takes a verdict as that of whoever is signed in, so each record says whose it is, and only
// those of this page's reader are sent, counted or shown; the others wait until their reader signs in.

const BATCH_MAX = 20;
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];
/** What a repeated request cannot mend: the body itself is refused. */
const HOPELESS = new Set([400, 409, 413, 415, 422]);

/** A UUID of version 4 in lower case; `crypto.randomUUID` is missing where a page comes over plain HTTP. */
export function uuid(random = globalThis.crypto) {
  const bytes = random.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Whether a failure goes by: no connection, a session that ended, a server that is busy. All else the server means. */
export function isPassing({ status, name }) {
  return [0, 401, 429, 502, 503, 504].includes(status) || name === "TypeError";
}

/** What stands for a reader in the queue, of the session `{name, centre}`: the name of the account, nothing of a patient. */
export function readerOf({ name, centre }) {
  return JSON.stringify([centre ?? "", name ?? ""]);
}

/**
 * The queue of `reader` over a `store` of `store.js`. `send(verdicts)` answers `{saved, refused}`, `undo(id)` takes one back; both throw an error
 * with `status` (0 = no connection); `who()` answers which reader is signed in now. Sends "change" whenever `waiting`, `refused` or `state` may have changed.
 * `state` is "idle", "sending", "cut", "sign-in" or "refusing": the server is there and answers with `error`. All of them are tried again.
 */
export class VerdictQueue extends EventTarget {
  constructor({ store, reader, who = async () => reader, send, undo, later = (action, ms) => setTimeout(action, ms) }) {
    super();
    Object.assign(this, { store, reader, who, unsure: false, error: null, send, takeBack: undo, later, records: [], others: 0, inFlight: new Set(), state: "idle", failures: 0, batch: BATCH_MAX, timer: null });
  }

  /** Reads what this reader left in an earlier page, and goes on sending it. Refused ones are tried again. `others` is how many are of other readers. */
  async open() {
    const all = await this.store.all();
    // A record of an earlier page says of no reader: it is not to be lost, and what was never claimed by this one the server refuses.
    this.records = all.filter(({ reader = this.reader }) => reader === this.reader);
    this.others = all.length - this.records.length;
    for (const record of this.records) delete record.refused;
    this.changed();
    this.pump();
  }

  /** How many acts the server has not confirmed. */
  get waiting() {
    return this.records.filter(({ refused }) => !refused).length;
  }

  /** Acts the server will not take, `{seq, kind, id, refused: {reason, sentence}}`. */
  get refused() {
    return this.records.filter(({ refused }) => refused);
  }

  /** Items with a verdict that is not confirmed: not to be shown again. */
  get items() {
    return this.records.filter(({ kind }) => kind === "verdict").map(({ verdict }) => verdict.item);
  }

  /** Keeps a verdict. Resolves when it is on the disk here, or, where nothing can be kept, when the server has it. */
  async add(verdict) {
    const record = await this.keep({ kind: "verdict", id: verdict.id, verdict });
    this.pump();
    if (!this.store.durable) await this.confirmed(record);
  }

  /** Takes a verdict back: out of the queue where it has not been sent, else after it, on the server. */
  async undo(id) {
    const record = this.records.find((one) => one.kind === "verdict" && one.id === id);
    try {
      if (record && !this.inFlight.has(record.seq) && !record.sent) await this.drop([record]);
      else await this.keep({ kind: "undo", id });
    } finally {
      this.pump();
    }
  }

  /** Forgets an act that was refused, when the reader has seen why. */
  async forget(seq) {
    await this.drop(this.refused.filter((record) => record.seq === seq));
  }

  /** Tries at once: the link is back, or somebody has signed in. */
  wake() {
    this.failures = 0;
    clearTimeout(this.timer);
    this.timer = null;
    this.pump();
  }

  async keep(act) {
    const record = { ...act, reader: this.reader };
    record.seq = await this.store.append(record);
    this.records.push(record);
    this.changed();
    return record;
  }

  // It leaves this memory before it leaves the disk: while that is written, a batch may be made of what is here.
  async drop(records) {
    if (!records.length) return;
    this.records = this.records.filter((record) => !records.includes(record));
    this.changed();
    try {
      await this.store.remove(records.map(({ seq }) => seq));
    } catch (error) {
      this.records = [...this.records, ...records].sort((one, other) => one.seq - other.seq);
      this.changed();
      throw error;
    }
  }

  confirmed(record) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.records.includes(record) && !record.refused) return;
        this.removeEventListener("change", look);
        if (record.refused) reject(Object.assign(new Error(record.refused.sentence), { status: 409 }));
        else resolve();
      };
      this.addEventListener("change", look);
      look();
    });
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // One sender at a time; what is added meanwhile is taken in its turn.
  async pump() {
    if (this.pumping || this.timer) return;
    this.pumping = true;
    try {
      if (this.unsure) await this.checkReader();
      for (let next = this.nextBatch(); next.length; next = this.nextBatch()) {
        this.state = "sending";
        this.changed();
        await this.sendBatch(next);
        this.failures = 0;
      }
      this.state = "idle";
    } catch (error) {
      this.pause(error);
    } finally {
      this.inFlight.clear();
      this.pumping = false;
      this.changed();
    }
  }

  // After a failure somebody else may be signed in: what goes on then would count as that reader's.
  async checkReader() {
    if (this.records.length && (await this.who()) !== this.reader) throw Object.assign(new Error("another reader is signed in"), { status: 401 });
    this.unsure = false;
  }

  // The oldest act, and if it is a verdict those right after it.
  nextBatch() {
    const open = this.records.filter(({ refused }) => !refused);
    if (open[0]?.kind !== "verdict") return open.slice(0, 1);
    const end = open.findIndex(({ kind }) => kind !== "verdict");
    return open.slice(0, Math.min(this.batch, end < 0 ? open.length : end));
  }

  async sendBatch(records) {
    for (const record of records) this.inFlight.add(record.seq);
    try {
      if (records[0].kind === "undo") await this.sendUndo(records[0]);
      else await this.sendVerdicts(records);
      this.batch = BATCH_MAX;
    } catch (error) {
      // Whether it arrived is not known: from here on it can only be taken back on the server.
      for (const record of records) record.sent = true;
      if (!HOPELESS.has(error.status)) throw error;
      // One bad verdict must not hold up the others: each by itself, until the one is found.
      if (records.length > 1) this.batch = 1;
      else await this.refuse(records[0], { reason: String(error.status), sentence: error.message });
    } finally {
      this.inFlight.clear();
    }
  }

  async sendVerdicts(records) {
    const { saved = [], refused = [] } = await this.send(records.map(({ verdict }) => verdict));
    const kept = new Set(saved);
    await this.drop(records.filter(({ id }) => kept.has(id)));
    for (const { id, reason, sentence } of refused) {
      const record = records.find((one) => one.id === id);
      if (record) await this.refuse(record, { reason, sentence: sentence ?? "" });
    }
    const said = new Set([...saved, ...refused.map(({ id }) => id)]);
    if (!records.every(({ id }) => said.has(id))) throw Object.assign(new Error("the server said nothing about a verdict"), { status: 502 });
  }

  async sendUndo(record) {
    try {
      await this.takeBack(record.id);
    } catch (error) {
      // 404: it was refused or never arrived, so there is nothing to take back.
      if (error.status !== 404) throw error;
    }
    await this.drop([record]);
  }

  async refuse(record, why) {
    record.refused = why;
    await this.store.replace(record);
    this.changed();
  }

  pause(error) {
    this.unsure = true;
    this.error = error;
    this.state = error.status === 401 ? "sign-in" : isPassing(error) ? "cut" : "refusing";
    const wait_ms = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
    this.timer = this.later(() => {
      this.timer = null;
      this.pump();
    }, wait_ms);
  }
}
