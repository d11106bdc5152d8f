import type { JwtClaims } from "../../core/verdict.ts";

const noScopes: readonly string[] = Object.freeze([]);

const MAX_TEXTS = 64;
/** In characters. Longer scope strings are not cached. */
const MAX_TEXT_LENGTH = 512;

/**
 * Reads the scopes that claims grant, as frozen arrays. The tokens of an issuer repeat a few sets of scopes. One shared
 * array for each set saves a fifth of the memory that a cached token takes.
 */
export class ScopeSets {
  readonly #setsByText = new Map<string, readonly string[]>();

  /** Reads `scope` (RFC 8693 §4.2), or `scp` as some providers name it: one string with spaces, or an array. */
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
