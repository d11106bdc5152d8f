import type { TokenResponse } from "../../src/issuer/types.ts";
import { claimsOf } from "../issuer/fixture.ts";

type Claims = Readonly<Record<string, unknown>>;

/** All that was ever given out, whether it arrived or not. Generations are counted, not read. */
export class IssuedTokens {
  /** By the refresh token that was presented. */
  readonly successors: Map<string, string> = new Map();
  /** By session and generation. */
  readonly refreshTokens: Map<string, Map<number, string>> = new Map();
  /** By session. */
  readonly accessTokens: Map<string, Set<string>> = new Map();
  /** By session, what its first access token said. */
  readonly firstClaims: Map<string, Claims> = new Map();
  /** By `jti`, of the first token that had it. */
  readonly claimsByJti: Map<string, Claims> = new Map();
  readonly #generations = new Map<string, number>();

  /** `presented` is the refresh token that it was given for; `null` at login. */
  add(tokens: TokenResponse, presented: string | null): void {
    const { session_id: session, refresh_token: refresh, access_token: access } = tokens;
    const generation = presented === null ? 1 : this.generationOf(presented) + 1;
    const claims = claimsOf(access);
    this.#generations.set(refresh, generation);
    this.refreshTokens.set(
      session,
      (this.refreshTokens.get(session) ?? new Map<number, string>()).set(generation, refresh),
    );
    this.accessTokens.set(session, (this.accessTokens.get(session) ?? new Set<string>()).add(access));
    if (presented === null) this.firstClaims.set(session, claims);
    else if (!this.successors.has(presented)) this.successors.set(presented, refresh);
    const jti = String(claims["jti"]);
    if (!this.claimsByJti.has(jti)) this.claimsByJti.set(jti, claims);
  }

  generationOf(refreshToken: string): number {
    return this.#generations.get(refreshToken) ?? 0;
  }

  /** Whether a text tells a refresh token, or the secret inside one, in any spelling that code is likely to use. */
  isRevealedIn(text: string): boolean {
    for (const token of this.#generations.keys()) {
      // "hfr_", then session id 16, generation 4, secret 32 and MAC 32 bytes.
      const secret = Buffer.from(token.slice(4), "base64url").subarray(20, 52);
      const spellings = [token.slice(36, 60), secret.toString("hex"), secret.toString("base64url")];
      if (spellings.some((spelling) => text.includes(spelling))) return true;
    }
    return false;
  }
}
