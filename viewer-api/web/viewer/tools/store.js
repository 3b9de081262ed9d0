// Sending documents to the archive by STOW-RS (PS3.18 §10.5): metadata as DICOM JSON, which have no bulk data.

import { ApiError, pathOf } from "../api.js";

const BOUNDARY = "tsunagu-annotations";

/** Stores DICOM JSON objects of one study. Resolves when they are durable; throws an `ApiError` with the archive's own sentence otherwise. */
export async function store(study, objects, signal) {
  const body = [`--${BOUNDARY}`, "Content-Type: application/dicom+json", "", JSON.stringify(objects), `--${BOUNDARY}--`, ""].join("\r\n");
  let response;
  try {
    response = await fetch(pathOf(study), {
      method: "POST", body, credentials: "same-origin", signal,
      headers: { "Content-Type": `multipart/related; type="application/dicom+json"; boundary=${BOUNDARY}`, Accept: "application/dicom+json" },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, String(error.message ?? error));
  }
  const answer = await response.json().catch(() => null);
  // 202 says that some were stored and others not (PS3.18 Table 10.5.3-1).
  if (response.status !== 200) throw new ApiError(response.status, failure(answer));
}

// Error Comment (0000,0902) of the first failed instance, or our own sentence.
function failure(answer) {
  const items = [...(answer?.["00081198"]?.Value ?? []), ...(answer?.["0008119A"]?.Value ?? [])];
  return String(items[0]?.["00000902"]?.Value?.[0] ?? answer?.error ?? "").slice(0, 400);
}
