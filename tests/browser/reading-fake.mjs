// A stand-in for the Reading API (docs: openapi.json, /reading/…) before an archive: `/reading/` is answered here from memory, the rest is
// passed on. It counts what a real server must: each verdict id once, what came twice, what was taken back. A link can be cut on the way back.

import http from "node:http";

const CODES = [
  ["1-1", "異常Q波", "Abnormal Q wave", "Q"], ["3-1", "完全右脚ブロック", "Complete right bundle branch block", "IVCD"], ["3-2", "不完全右脚ブロック", "Incomplete right bundle branch block", "IVCD"],
  ["5-3", "WPW症候群", "WPW syndrome", "AV"], ["6-1", "QT延長", "Long QT", "QT", true], ["7-1", "心室期外収縮", "Ventricular premature contraction", "rhythm"],
].map(([code, ja, en, group, urgent = false]) => ({ code, ja, en, group, urgent }));

/** Starts it over the archive at `base` with `instances` (`{study, series, instance, date}`) read `count` times in turn. Answers `{url, book, close}`. */
export async function fakeReading(base, instances, count) {
  const book = { saved: new Map(), order: [], undone: new Set(), repeated: 0, cutAfter: 0, claims: 0, released: 0 };
  const items = Array.from({ length: count }, (_, at) => {
    const { study, series, instance } = instances[at % instances.length];
    const prior = instances[(at + 1) % instances.length];
    return { item: `i${at}`, stage: "first", study, series, instance, claimed_until: "2999-01-01T00:00:00Z", priors: [prior], blind: true, holder: null };
  });
  const adjudicated = { ...items[0], item: "a0", stage: "adjudication", blind: false, priors: [], verdicts: [
    { stage: "first", verdict: "normal", urgent: false, findings: [], text: "" }, { stage: "second", verdict: "refer", urgent: true, findings: ["5-3"], text: "デルタ波あり" }] };
  const read = (item) => [...book.saved.values()].some((one) => one.item === item.item && !book.undone.has(one.id));
  const open = () => items.filter((item) => !read(item));

  const answers = {
    worklists: () => ({ worklists: [{ id: "w1", name: "令和8年度 学校心臓検診（試験）", modality: "ECG", total: count, unread: open().length, mine: book.saved.size, held: 0, awaiting_second: 0, awaiting_adjudication: 1 }] }),
    codes: () => ({ edition: "test", codes: CODES }),
    claim: ({ count: wanted, held = [], stage }) => {
      book.claims++;
      if (stage === "adjudication") return { items: read(adjudicated) || held.includes("a0") ? [] : [adjudicated], remaining: 0 };
      const rest = open().filter((item) => !held.includes(item.item));
      return { items: rest.slice(0, wanted), remaining: Math.max(0, rest.length - wanted) };
    },
    verdicts: ({ verdicts }) => {
      const told = { saved: [], refused: [] };
      for (const one of verdicts) {
        if (book.saved.has(one.id)) book.repeated++;
        else if ([...items, adjudicated].some((item) => item.item === one.item && read(item))) { told.refused.push({ id: one.id, reason: "own-reading", sentence: "you have given the other verdict" }); continue; }
        else {
          book.saved.set(one.id, one);
          book.order.push(one.item);
        }
        told.saved.push(one.id);
      }
      return told;
    },
  };

  const server = http.createServer(async (request, response) => {
    const body = [];
    for await (const chunk of request) body.push(chunk);
    const path = request.url.split("?")[0];
    const reply = (value, status = 200) => { response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" }); response.end(JSON.stringify(value)); };
    if (!path.startsWith("/reading/")) return void pass(base, request, response, Buffer.concat(body));
    const given = body.length ? JSON.parse(Buffer.concat(body).toString()) : {};
    const undone = /^\/reading\/verdicts\/([^/]+)\/undo$/.exec(path)?.[1];
    if (undone) {
      if (!book.saved.has(undone)) return reply({ message: "no such verdict" }, 404);
      book.undone.add(undone);
      return reply({ undone, item: null });
    }
    if (path.endsWith("/release")) {
      book.released++;
      return reply({ released: true });
    }
    const value = answers[path.split("/").at(-1)]?.(given);
    if (!value) return reply({ message: "no such path" }, 404);
    // Saved, but the answer never arrives.
    if (path === "/reading/verdicts" && book.cutAfter > 0) {
      book.cutAfter--;
      return void request.socket.destroy();
    }
    reply(value);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, book, close: () => { server.closeAllConnections(); server.close(); } };
}

function pass(base, request, response, body) {
  const to = new URL(base);
  const headers = { ...request.headers, host: to.host };
  if (headers.origin) headers.origin = to.origin;
  if (headers.referer) delete headers.referer;
  const on = http.request({ host: to.hostname, port: to.port, method: request.method, path: request.url, headers }, (answer) => { response.writeHead(answer.statusCode, answer.headers); answer.pipe(response); });
  on.on("error", () => { if (!response.headersSent) response.writeHead(502); response.end(); });
  on.end(body);
}
