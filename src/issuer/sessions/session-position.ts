import type { SessionPosition } from "../../stores/session-store.ts";

/** The longest page of a list of sessions. Verifying its records must not block a turn of the event loop for long. */
export const MAX_LISTED_SESSIONS = 500;

export function formatPosition({ at, id }: SessionPosition): string {
  return `${at}.${id}`;
}

/** `null` for a text that `formatPosition` does not write. */
export function parsePosition(text: string): SessionPosition | null {
  const [, at, id] = /^(\d{1,15})\.([\w-]{1,128})$/.exec(text) ?? [];
  return at === undefined || id === undefined ? null : { at: Number(at), id };
}
