// The body of a STOW-RS request (PS3.18 §10.5) as one Blob of Blobs: nothing is read into memory, the browser streams the files.

/** Random enough that no file holds it (122 bits); of what RFC 2046 allows in a boundary. */
export function newBoundary() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a path in Content-Location may hold unescaped (RFC 3986 §2.3 and `/`); everything else in UTF-8, percent-encoded. */
export function location(name) {
  return encodeURIComponent(name.toWellFormed?.() ?? name).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll("%2F", "/");
}

/** `{type, body}` of files `{name, blob}`. */
export function multipart(files, boundary = newBoundary()) {
  const parts = files.flatMap(({ name, blob }) => [
    `--${boundary}\r\nContent-Type: application/dicom\r\nContent-Length: ${blob.size}\r\nContent-Location: ${location(name)}\r\n\r\n`, blob, "\r\n",
  ]);
  return { type: `multipart/related; type="application/dicom"; boundary=${boundary}`, body: new Blob([...parts, `--${boundary}--\r\n`]) };
}
