// Where verdicts wait until the server has them: IndexedDB, written through to the disk. What is kept are opaque ids, codes, and
// the reader's own words, each under the reader's account and only until the server has confirmed it; no patient's name, no ID, no study.

const NAME = "tsunagu-reading";
const STORE = "waiting";

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Opens the store; one that lasts no longer than the page where the browser keeps nothing. */
export async function openStore() {
  try {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "seq", autoIncrement: true });
    return new DiskStore(await done(opening));
  } catch {
    return new MemoryStore();
  }
}

class DiskStore {
  constructor(database) {
    this.database = database;
    this.durable = true;
  }

  // Resolves when the transaction is complete, which with "strict" is after the flush to the disk (Indexed Database API §2.7.1).
  async write(act) {
    const transaction = this.database.transaction(STORE, "readwrite", { durability: "strict" });
    const complete = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
    });
    const request = act(transaction.objectStore(STORE));
    await complete;
    return request?.result;
  }

  /** Keeps a record; answers its place in the order. */
  append(record) {
    return this.write((store) => store.add(record));
  }

  remove(places) {
    return this.write((store) => { for (const seq of places) store.delete(seq); });
  }

  replace(record) {
    return this.write((store) => store.put(record));
  }

  /** All records, oldest first. */
  all() {
    return done(this.database.transaction(STORE).objectStore(STORE).getAll());
  }
}

/** The same without a disk. `durable` is false: who saves must wait for the server. */
export class MemoryStore {
  constructor() {
    this.durable = false;
    this.records = new Map();
    this.next = 1;
  }

  async append(record) {
    const seq = this.next++;
    this.records.set(seq, { ...structuredClone(record), seq });
    return seq;
  }

  async remove(places) {
    for (const seq of places) this.records.delete(seq);
  }

  async replace(record) {
    this.records.set(record.seq, structuredClone(record));
  }

  async all() {
    return [...this.records.values()].sort((one, other) => one.seq - other.seq).map((record) => structuredClone(record));
  }
}
