// Closing the page asks first while there are verdicts that only its memory holds.

/** Guards `queue` until `signal`, and beyond it for as long as something waits: the queue goes on sending behind another page of the viewer. */
export function guard(queue, signal) {
  const end = new AbortController();
  const holds = () => !queue.store.durable && queue.waiting > 0;
  const endIfSent = () => { if (signal.aborted && !holds()) end.abort(); };
  addEventListener("beforeunload", (event) => { if (holds()) event.preventDefault(); }, { signal: end.signal });
  queue.addEventListener("change", endIfSent, { signal: end.signal });
  signal.addEventListener("abort", endIfSent, { signal: end.signal });
}
