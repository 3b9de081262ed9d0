// The first script of the page, before any module: asks at once for what the address needs, while the modules are on their way.
// A plain script in the page itself, so that nothing is waited for (src/assets/tree.rs puts it there). `take(path)` hands a request on to api.js, once; what nobody takes is given up.
(() => {
  const NOT_FIRST = ["PR", "KO", "SEG", "RWV", "REG", "SR", "ECG", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "AU", "HD"];
  const VOLUMES = ["CT", "MR", "PT", "NM"];
  /** More than this is not asked for on a guess: 100 ms of a link of 10 Mbit/s, which the modules need as well. */
  const GUESS_BYTES_MAX = 128 * 1024;
  const UNTAKEN_MS = 8000;
  const { base } = document.currentScript.dataset;
  const study = /^#\/study\/([0-9.]{1,64})$/.exec(location.hash)?.[1];
  const started = new Map();
  const early = { decoder: null, worker: null, take };
  globalThis.tsunaguEarly = early;
  if (!study) return;

  const manifest = `/dicom-web/studies/${study}/manifest`;
  const response = start(manifest, { Accept: "application/json" });
  early.decoder = WebAssembly.compileStreaming(fetch(`${base}image/htj2k.wasm`));
  early.decoder.catch(() => {});
  early.worker = new Worker(`${base}image/decode-worker.js`, { type: "module" });
  response.then((answer) => answer.ok && answer.clone().json()).then((json) => json && guess(json)).catch(() => {});

  function start(path, headers) {
    const stop = new AbortController();
    const answer = fetch(path, { headers, credentials: "same-origin", signal: stop.signal });
    answer.catch(() => {});
    started.set(path, { answer, stop });
    setTimeout(() => started.delete(path) && stop.abort(), UNTAKEN_MS);
    return answer;
  }

  // The frame that most likely hangs first (room/hanging.js decides): up to the level that fills the window.
  function guess({ version, series }) {
    if (version !== 1) return;
    const first = series.find(({ Modality, instances }) => !NOT_FIRST.includes(Modality) && cell(instances.Rows, 0) > 0);
    if (!first) return;
    const { Modality, count, frames_url, instances } = first;
    const row = VOLUMES.includes(Modality) && instances.ImagePositionPatient ? Math.floor(count / 2) : 0;
    const [ends] = cell(instances.resolution_ends, row) ?? [];
    const representation = cell(instances.representation, row);
    if (!ends || !representation || !frames_url) return;
    const [columns, rows] = [cell(instances.Columns, row), cell(instances.Rows, row)];
    const scale = devicePixelRatio * Math.min(innerWidth / columns, innerHeight / rows);
    let at = Math.max(0, Math.min(ends.length - 1, ends.length - 1 - Math.floor(Math.log2(1 / scale))));
    while (at > 0 && ends[at] > GUESS_BYTES_MAX) at--;
    const path = frames_url.replace("{SOPInstanceUID}", encodeURIComponent(cell(instances.SOPInstanceUID, row))).replace("{frame}", 1).replace("{representation}", representation);
    start(path, { Accept: "*/*", Range: `bytes=0-${ends[at] - 1}` });
  }

  // One value of a column of the manifest (docs/manifest.md).
  function cell(column, row) {
    return column && Object.hasOwn(column, "all") ? column.all : column?.each?.[row];
  }

  /** The request to `path` that was started, as a promise of its Response, or `null`; `signal` ends it from now on. */
  function take(path, signal) {
    const one = started.get(path);
    if (!one) return null;
    started.delete(path);
    if (signal?.aborted) one.stop.abort(signal.reason);
    signal?.addEventListener("abort", () => one.stop.abort(signal.reason));
    return one.answer;
  }
})();
