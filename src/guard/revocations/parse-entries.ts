import type { Clock } from "../../core/clock.ts";
import { ownTurn } from "../../resilience/turns.ts";

/** A shorter response is parsed at once: it takes a millisecond or two. */
const MAX_BYTES_AT_ONCE = 131_072;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** The end of the text before the list. A few blanks may stand in it. */
const beforeEntries = /"entries"\s*:\s*$/;
const MAX_BEFORE_BYTES = 32;

/**
 * Parses a JSON response of the revocation log. The list `entries` of a long response is parsed in pieces, each in a turn
 * of the event loop. Throws `SyntaxError` or `TypeError` when the bytes are not JSON in UTF-8.
 */
export async function parseEntries(clock: Clock, bytes: Uint8Array): Promise<unknown> {
  if (bytes.length <= MAX_BYTES_AT_ONCE) return parse(bytes);
  const entries: unknown[] = [];
  let [depth, start, head, scannedTo] = [0, -1, "", 0];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
    } else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      if (depth !== 2 || byte !== 0x5b || start >= 0) continue;
      if (isBeforeEntries(bytes, i)) [start, head, scannedTo] = [i + 1, decode(bytes.subarray(0, i)), i];
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
      if (depth !== 1 || start < 0) continue;
      appendPiece(entries, bytes.subarray(start, i));
      const rest = JSON.parse(`${head}[]${decode(bytes.subarray(i + 1))}`) as Record<string, unknown>;
      return { ...rest, entries };
    } else if (byte === COMMA && depth === 2 && start >= 0 && i - scannedTo >= MAX_BYTES_AT_ONCE) {
      appendPiece(entries, bytes.subarray(start, i));
      [start, scannedTo] = [i + 1, i];
      await ownTurn(clock);
    }
  }
  return parse(bytes);
}

/** Returns the index of the quotation mark that ends the string which begins at `from`, or the length. */
function endOfString(bytes: Uint8Array, from: number): number {
  let i = from + 1;
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return i;
}

function isBeforeEntries(bytes: Uint8Array, at: number): boolean {
  const before = bytes.subarray(Math.max(0, at - MAX_BEFORE_BYTES), at);
  return beforeEntries.test(Buffer.from(before).toString("latin1"));
}

function appendPiece(entries: unknown[], piece: Uint8Array): void {
  for (const entry of JSON.parse(`[${decode(piece)}]`) as unknown[]) entries.push(entry);
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(decode(bytes)) as unknown;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
