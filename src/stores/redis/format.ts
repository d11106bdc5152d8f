import { HoldfastError } from "../../core/errors.ts";

/**
 * The format that this version writes. It reads every format up to this one, and keeps fields that it does not know.
 * A version that raises the format of a cluster writes in the new format only after `FORMAT_LEASE_MS`.
 */
export const FORMAT = 1;

/** How long a process may write to other slots of a cluster after it has read the format, ms. */
export const FORMAT_LEASE_MS = 10_000;

/** Begins the reply of a script that found a newer format, which follows it. */
const NEWER_FORMAT = "NEWERFORMAT ";

/** Lua that ends the script when `format`, a Lua expression, is newer than this version knows. */
export function rejectNewer(format: string): string {
  return `if (tonumber(${format}) or 0) > ${FORMAT} then
  return redis.error_reply('${NEWER_FORMAT}' .. ${format})
end
`;
}

/** The error for a store whose format is newer than this version knows. */
export function newerFormatError(description: string, format: string): HoldfastError {
  const versions = `has format ${format}, this version knows up to ${FORMAT}`;
  return new HoldfastError("store_newer", `${description} was written by a newer version: it ${versions}`);
}

/** Returns the newer format that a reply names. `null` for every other reply. */
export function readNewerFormat(reply: string): string | null {
  return reply.startsWith(NEWER_FORMAT) ? reply.slice(NEWER_FORMAT.length) : null;
}
