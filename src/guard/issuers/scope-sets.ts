import type { JwtClaims } from "../../core/verdict.ts";

const noScopes: readonly string[] = Object.freeze([]);

/** Texts that are kept, and how long each may be. */
const MAX_TEXTS = 64;
const MAX_TEXT_LENGTH = 512;

/**
 * The scopes that claims grant, frozen. An issuer's tokens name the same few sets again and again: one array for all of
 * them saves a fifth of what a remembered token takes.
 */
export class ScopeSets {
  readonly #setsByText = new Map<string, readonly string[]>();

  /** `scope` (RFC 8693 §4.2), or `scp` as other providers name it: one string with spaces, or an array. */
  scopesOf({ scope, scp }: Readonly<JwtClaims>): readonly string[] {
    const granted = scope ?? scp;
    if (typeof granted !== "string") return frozen(Array.isArray(granted) ? granted : noScopes);
    const known = this.#setsByText.get(granted);
    if (known !== undefined) return known;
    const scopes = frozen(granted.split(" "));
    if (this.#setsByText.size >= MAX_TEXTS) this.#setsByText.clear();
    if (granted.length <= MAX_TEXT_LENGTH) this.#setsByText.set(granted, scopes);
    return scopes;
  }
}

function frozen(names: readonly unknown[]): readonly string[] {
  const scopes = names.filter((name): name is string => typeof name === "string" && name !== "");
  return scopes.length === 0 ? noScopes : Object.freeze(scopes);
}
