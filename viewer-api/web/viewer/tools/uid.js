// Unique identifiers made here: a random UUID as a decimal number under 2.25 (PS3.5 §B.2).

/** A new UID. */
export function newUid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // Version 4, variant 1 (RFC 4122 §4.4), as PS3.5 §B.2 asks for a UUID and not any random number.
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return `2.25.${bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)}`;
}
