// Writing lines into a picture.

/** Who and when, in two lines; what is not known is left out. */
export function patientLines({ names, id, birth, age, sex, date, modality, description }) {
  const who = [...names.filter(Boolean), id].filter(Boolean).join("  ");
  const born = [birth, age === null || age === undefined ? "" : `(${age})`, sex, date, modality, description].filter(Boolean).join("  ");
  return [who, born].filter(Boolean);
}

/** The picture with a black band of `lines` above it, as PNG. Nothing of the image is covered. */
export async function withLines(blob, lines, { fontPixels = 15 } = {}) {
  const picture = await createImageBitmap(blob);
  const step = Math.round(fontPixels * 1.5);
  const band = lines.length * step + Math.round(fontPixels * 0.7);
  const canvas = new OffscreenCanvas(picture.width, picture.height + band);
  const context = canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, band);
  context.fillStyle = "#fff";
  context.font = `${fontPixels}px system-ui, "Hiragino Sans", "Yu Gothic UI", "Noto Sans CJK JP", Meiryo, sans-serif`;
  context.textBaseline = "middle";
  lines.forEach((line, at) => context.fillText(line, Math.round(fontPixels * 0.7), Math.round(fontPixels * 0.35) + (at + 0.5) * step, canvas.width - fontPixels * 1.4));
  picture.close();
  return canvas.convertToBlob({ type: "image/png" });
}
