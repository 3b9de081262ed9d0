// The first script of the page, before any module: asks at once for what the address needs, shows the small picture that comes with the manifest
// (docs/manifest.md), and then begins the modules, which came meanwhile.
// A plain script in the page itself, so that nothing is waited for (src/assets/tree.rs puts it there). `take(path)` hands a request on to api.js, once; what nobody takes is given up.
(() => {
  const UNTAKEN_MS = 8000;
  /** Modules and decoder are begun when the small picture is painted, or after this long: while they begin, nothing is painted. */
  const RUN_WAIT_MS_MAX = 400;
  /** On a phone what stands around the picture is laid out otherwise (style.css). */
  const NARROW = "(max-width: 760px)";
  const { base } = document.currentScript.dataset;
  // A study may be named in the path, so that the answer itself tells the browser what to ask for (`Link`); from here on it stands behind `#`.
  const named = /^\/study\/([0-9.]{1,64})$/.exec(location.pathname)?.[1];
  if (named) history.replaceState(null, "", location.hash ? `/${location.hash}` : `/#/study/${named}`);
  const study = /^#\/study\/([0-9.]{1,64})$/.exec(location.hash)?.[1];
  const started = new Map();
  const early = { decoder: null, worker: null, cover: null, take };
  globalThis.tsunaguEarly = early;
  if (!study) return void run();

  const manifest = `/dicom-web/studies/${study}/manifest`;
  // No header of ours: the browser may have asked already.
  const response = start(manifest, `${manifest}?viewport=512,512`);
  const decoder = fetch(`${base}image/htj2k.wasm`);
  decoder.catch(() => {});
  early.worker = new Worker(`${base}image/decode-worker.js`, { type: "module" });
  const begun = response.then((answer) => answer.ok && answer.clone().json()).then((json) => json && begin(json)).catch(() => {});
  Promise.race([begun, wait(RUN_WAIT_MS_MAX)]).then(() => {
    early.decoder = WebAssembly.compileStreaming(decoder);
    early.decoder.catch(() => {});
    return run();
  });

  async function run() {
    if (document.readyState === "loading") await new Promise((go) => addEventListener("DOMContentLoaded", go, { once: true }));
    await import(`${base}main.js`);
  }

  function wait(ms) {
    return new Promise((go) => setTimeout(go, ms));
  }

  function start(path, address) {
    const stop = new AbortController();
    const answer = fetch(address, { credentials: "same-origin", signal: stop.signal });
    answer.catch(() => {});
    started.set(path, { answer, stop });
    setTimeout(() => started.delete(path) && stop.abort(), UNTAKEN_MS);
    return answer;
  }

  // Answers once the small picture is painted, or it is known that there is none.
  async function begin({ version, first, series }) {
    if (version !== 1 || !first) return;
    for (const { count, frames_url, instances } of series) {
      for (let row = 0; row < count; row++) {
        if (cell(instances.SOPInstanceUID, row) !== first.SOPInstanceUID) continue;
        guess(first, frames_url, (keyword) => cell(instances[keyword], row));
        if (first.picture) await cover(first, count > 1 || cell(instances.NumberOfFrames, row) > 1);
        return;
      }
    }
  }

  // Where the frame will hang, or nearly so: image/cover.js puts it right once that is known, and takes it away for the frame itself.
  async function cover({ SOPInstanceUID, frame, picture }, isOfSeveral) {
    if (matchMedia(NARROW).matches) return;
    const element = document.createElement("figure");
    const [image, caption] = [new Image(), document.createElement("figcaption")];
    element.className = isOfSeveral ? "cover of-several" : "cover";
    image.src = picture;
    image.alt = "";
    image.decoding = "sync";
    caption.textContent = "プレビュー  Preview";
    element.append(image, caption);
    document.body.append(element);
    early.cover = { key: `${SOPInstanceUID}/${frame}`, element };
    performance.mark("tsunagu:cover");
    // The second frame begins when the first one is on its way to the screen.
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  }

  // All of that frame: it is read as it comes, so that the link is never idle between the first picture and the last.
  function guess({ frame }, url, value) {
    const representation = value("representation");
    if (!value("resolution_ends") || !representation || !url) return;
    const path = url.replace("{SOPInstanceUID}", encodeURIComponent(value("SOPInstanceUID"))).replace("{frame}", frame).replace("{representation}", representation);
    start(path, path);
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
