import { claimAt } from "../../core/claim-path.ts";
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
  /** Whether `scope`, or `scp` in its place, is one of the claims. */
  readonly #readsScope: boolean;
  readonly #otherPaths: readonly string[];

  /** `paths` are the claims whose values are scopes. */
  constructor(paths: readonly string[]) {
    this.#readsScope = paths.includes("scope") || paths.includes("scp");
    this.#otherPaths = paths.filter((path) => path !== "scope" && path !== "scp");
  }

  /**
   * Reads `scope` (RFC 8693 §4.2), or `scp` as some providers name it, and the other claims. Each is one string with
   * spaces, or an array. Each claim that the authority's answer names replaces that of the token.
   */
  scopesOf(claims: Readonly<JwtClaims>, answer: Readonly<JwtClaims> = {}): readonly string[] {
    const granted = this.#readsScope
      ? (answer.scope ?? answer["scp"] ?? claims.scope ?? claims["scp"])
      : undefined;
    if (this.#otherPaths.length === 0) {
      return typeof granted === "string"
        ? this.#share(granted, () => granted.split(" "))
        : frozen(Array.isArray(granted) ? granted : noScopes);
    }
    const others = this.#otherPaths.map((path) => claimAt(answer, path) ?? claimAt(claims, path));
    const names = [...new Set([granted, ...others].flatMap(namesOf))];
    return this.#share(JSON.stringify(names), () => names);
  }

  #share(text: string, names: () => readonly unknown[]): readonly string[] {
    const known = this.#setsByText.get(text);
    if (known !== undefined) return known;
    const scopes = frozen(names());
    if (this.#setsByText.size >= MAX_TEXTS) this.#setsByText.clear();
    if (text.length <= MAX_TEXT_LENGTH) this.#setsByText.set(text, scopes);
    return scopes;
  }
}

/** The names in the value of a claim: a text with blanks, or a list. Other values name none. */
function namesOf(value: unknown): readonly unknown[] {
  if (typeof value === "string") return value.split(" ");
  return Array.isArray(value) ? value : noScopes;
}

function frozen(names: readonly unknown[]): readonly string[] {
  const scopes = names.filter((name): name is string => typeof name === "string" && name !== "");
  return scopes.length === 0 ? noScopes : Object.freeze(scopes);
}
