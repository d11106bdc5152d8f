import { bearerTokens } from "../guard/authority/settings.ts";

/** The longest opaque token that a setting can name, in characters. A guard reads no longer token. */
export const MAX_OPAQUE_LENGTH = 16_384;

/**
 * Parses which opaque tokens are sent to the authority: `on`, `off`, a longest length or an expression between slashes.
 * Returns `undefined` for another text.
 */
export function parseOpaque(text: string): boolean | RegExp | undefined {
  if (text === "on" || text === "off") return text === "on";
  if (/^[1-9]\d{1,4}$/.test(text)) {
    const length = Number(text);
    return length >= 16 && length <= MAX_OPAQUE_LENGTH ? bearerTokens(length) : undefined;
  }
  const [, source] = /^\/(.+)\/$/s.exec(text) ?? [];
  if (source === undefined) return undefined;
  try {
    // oxlint-disable-next-line security/detect-non-literal-regexp
    return new RegExp(source);
  } catch {
    return undefined;
  }
}
