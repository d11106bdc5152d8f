import type { InvalidReason, JwtClaims } from "../core/verdict.ts";
import { checkTime, proofPolicy, type ProofPolicy } from "../jwt/claims.ts";
import { parseToken } from "../jwt/parse.ts";
import { prove } from "../jwt/prove.ts";
import type { Context } from "./context.ts";
import type { RevokedList } from "./revoked.ts";
import { isLive } from "./sessions.ts";
import { provenSession, type ProvenSession } from "./tokens.ts";

const MAX_TOKEN_BYTES = 16_384;
/** Between the machines of one issuer. Milliseconds. */
const CLOCK_TOLERANCE_MS = 5_000;

export type Access =
  | { readonly status: "valid"; readonly claims: Readonly<JwtClaims>; readonly session: ProvenSession }
  | { readonly status: "invalid"; readonly reason: InvalidReason };

/** The issuer's own answer about an access token: proof, and the session as the store has it now. */
export class AccessTokens {
  readonly #ctx: Context;
  readonly #revoked: RevokedList;
  readonly #policy: ProofPolicy;

  constructor(ctx: Context, revoked: RevokedList) {
    this.#ctx = ctx;
    this.#revoked = revoked;
    this.#policy = proofPolicy({
      issuer: ctx.config.url,
      audience: ctx.config.audience,
      types: ["at+jwt"],
      requireTyp: true,
      requiredClaims: ["sub", "jti", "sid"],
    });
  }

  /** Rejects when the store cannot say (law 1). */
  async check(token: string): Promise<Access> {
    if (token.length > MAX_TOKEN_BYTES) return { status: "invalid", reason: "too_large" };
    const parsed = parseToken(token);
    if ("reason" in parsed) return invalid(parsed.reason);
    const key = await this.#ctx.keys.find(parsed.kid, parsed.algorithm);
    if (key === undefined) return invalid("unknown_key");
    const { claims } = parsed;
    const reason =
      prove(parsed, key, this.#policy) ?? checkTime(claims, this.#ctx.clock.now(), CLOCK_TOLERANCE_MS);
    if (reason !== null) return invalid(reason);
    if (await this.#revoked.holds({ jti: claims.jti, kid: parsed.kid })) return invalid("revoked");
    const { sid = "" } = claims;
    const record = await this.#ctx.store.sessions.get(sid);
    const session = record && (await provenSession(this.#ctx, record, sid));
    if (session?.subject !== claims.sub || session === null) return invalid("revoked");
    return isLive(session, this.#ctx.clock.now()) ? { status: "valid", claims, session } : invalid("revoked");
  }
}

function invalid(reason: InvalidReason): Access {
  return { status: "invalid", reason };
}
