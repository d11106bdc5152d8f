import { systemEntropy } from "../../core/entropy.ts";
import type { Clock } from "../../core/clock.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { checkTime } from "../../jwt/claims.ts";
import { importJwkSet, type VerificationKey } from "../../jwt/jwk-set.ts";
import { parseToken } from "../../jwt/parse.ts";
import type { Jwk } from "../../jwt/sign.ts";
import { verifySignature } from "../../jwt/signature.ts";
import { createMint, type Mint, type MintOptions } from "../mint.ts";

interface ProviderKey {
  readonly mint: Mint;
  readonly kid: string;
  readonly verification: readonly VerificationKey[];
  published: boolean;
}

/** The provider's answer about a token. */
export type TokenStatus =
  | { readonly active: true; readonly claims: Readonly<JwtClaims> }
  | { readonly active: false; readonly reason: string };

/** The keys and tokens of a fake provider. A key that vanished from the set still verifies its tokens. */
export class ProviderTokens {
  readonly #options: MintOptions;
  readonly #clock: Clock;
  readonly #keys: ProviderKey[] = [];
  readonly #opaque = new Map<string, Readonly<JwtClaims>>();
  readonly #revoked = new Set<string>();
  #signing = 0;

  constructor(options: MintOptions & { clock: Clock }) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get signing(): ProviderKey {
    return this.#keys[this.#signing] as ProviderKey;
  }

  published(): { keys: Jwk[] } {
    return { keys: this.#keys.filter((key) => key.published).flatMap(({ mint }) => mint.jwks().keys) };
  }

  /** Publishes a new key. The first one signs at once, later ones after `rotate`. Resolves with its `kid`. */
  async publishNext(): Promise<string> {
    const key = this.#keys.length === 0 ? this.#options.key : undefined;
    const mint = await createMint({ ...this.#options, key });
    const verification = importJwkSet(mint.jwks()).keys;
    this.#keys.push({ mint, kid: mint.kid as string, verification, published: true });
    return mint.kid as string;
  }

  /** Signs with the next key, publishing one when needed. Resolves with its `kid`. */
  async rotate(): Promise<string> {
    if (this.#signing === this.#keys.length - 1) await this.publishNext();
    this.#signing++;
    return this.signing.kid;
  }

  vanish(kid: string): boolean {
    const key = this.#keys.find((one) => one.kid === kid);
    if (key !== undefined) key.published = false;
    return key !== undefined;
  }

  createOpaque(claims: Readonly<Record<string, unknown>>): string {
    const token = `opaque_${systemEntropy.bytes(24).toString("base64url")}`;
    const iat = Math.floor(this.#clock.now() / 1000);
    const exp = iat + Math.ceil((this.#options.lifetimeMs ?? 600_000) / 1000);
    const { audience: aud } = this.#options;
    this.#opaque.set(token, { sub: "user", aud, exp, iat, jti: systemEntropy.uuid(), ...claims });
    return token;
  }

  /** Revokes a token, or all tokens with this `jti`, `sid` or `sub`. */
  revoke(id: string): void {
    const claims = this.#claimsOf(id);
    this.#revoked.add(typeof claims?.jti === "string" ? claims.jti : id);
  }

  statusOf(token: string, issuer: string): TokenStatus {
    const claims = this.#claimsOf(token);
    if (claims?.iss !== issuer) return { active: false, reason: "unknown_token" };
    const identifiers = [token, claims.jti, claims.sid, claims.sub];
    if (identifiers.some((id) => id !== undefined && this.#revoked.has(id))) {
      return { active: false, reason: "revoked" };
    }
    const reason = checkTime(claims, this.#clock.now(), 0);
    return reason === null ? { active: true, claims } : { active: false, reason };
  }

  /** The claims of a token of this provider. `undefined` for any other token. */
  #claimsOf(token: string): Readonly<JwtClaims> | undefined {
    const opaque = this.#opaque.get(token);
    if (opaque !== undefined) return opaque;
    const parsed = parseToken(token);
    if ("reason" in parsed) return undefined;
    const keys = this.#keys.find(({ kid }) => kid === parsed.kid)?.verification ?? [];
    return keys.some((key) => verifySignature(parsed, key)) ? parsed.claims : undefined;
  }
}
