import type { TokenResponse } from "../../src/issuer/types.ts";
import { claimsOf } from "../issuer/fixture.ts";

type Claims = Readonly<Record<string, unknown>>;

/** All tokens that the issuers returned, whether or not they arrived. Generations are counted, not read from tokens. */
export class IssuedTokens {
  /** The successor of each presented refresh token. */
  readonly successors: Map<string, string> = new Map();
  /** Refresh tokens by session and generation. */
  readonly refreshTokens: Map<string, Map<number, string>> = new Map();
  /** Access tokens by session. */
  readonly accessTokens: Map<string, Set<string>> = new Map();
  /** The claims of the first access token of each session. */
  readonly firstClaims: Map<string, Claims> = new Map();
  /** The `jti` of every access token. */
  readonly jtis: Set<string> = new Set();
  readonly #generations = new Map<string, number>();

  /** `presented` is the refresh token that was presented for `tokens`. `null` at login. */
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
    this.jtis.add(String(claims["jti"]));
  }

  generationOf(refreshToken: string): number {
    return this.#generations.get(refreshToken) ?? 0;
  }

  /** Whether the text contains a refresh token or its secret, in any encoding that code is likely to use. */
  isRevealedIn(text: string): boolean {
    for (const token of this.#generations.keys()) {
      // A token is "hfr_", then 16 bytes of session id, 4 of generation, 32 of secret and 32 of MAC.
      const secret = Buffer.from(token.slice(4), "base64url").subarray(20, 52);
      const encodings = [token.slice(36, 60), secret.toString("hex"), secret.toString("base64url")];
      if (encodings.some((encoding) => text.includes(encoding))) return true;
    }
    return false;
  }
}
