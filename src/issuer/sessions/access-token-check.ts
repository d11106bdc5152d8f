import { hash } from "node:crypto";
import { HoldfastError } from "../../core/errors.ts";
import { isLive } from "../../core/session.ts";
import type { InvalidReason, JwtClaims } from "../../core/verdict.ts";
import { checkTime, createClaimsPolicy, type ClaimsPolicy } from "../../jwt/claims.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { parseToken, type ParsedToken } from "../../jwt/parse.ts";
import { verifyWithKey } from "../../jwt/verify.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { IssuerBase } from "../issuer-base.ts";
import type { SigningKeys } from "../keys/signing-keys.ts";
import type { RevocationCache } from "../revocations/revocation-cache.ts";
import type { ArrivalSigns } from "./arrival-signs.ts";
import type { RollbackAlarm } from "./rollback-alarm.ts";
import { CLOCK_TOLERANCE_MS } from "../store/store-time.ts";
import { verifySessionRecord, type AuthenticSession } from "../store/session-record.ts";

const MAX_TOKEN_BYTES = 16_384;
/** Memory for about 4,000 verified tokens. */
const MAX_REMEMBERED_BYTES = 8_388_608;
const REMEMBER_MS = 600_000;
/** The fixed size of an entry beside its claims. */
const ENTRY_BYTES = 600;

interface VerifiedToken {
  readonly claims: Readonly<JwtClaims>;
  /** The key that verified the signature. */
  readonly key: VerificationKey;
}

export type AccessTokenResult =
  | {
      readonly status: "valid";
      readonly claims: Readonly<JwtClaims>;
      /** `null` for a token of the client credentials grant. */
      readonly session: AuthenticSession | null;
    }
  | { readonly status: "invalid"; readonly reason: InvalidReason };

/** Checks the signature and claims of access tokens, and the current revocation log and session in the store. */
export class AccessTokenChecker {
  readonly #base: IssuerBase;
  readonly #keys: SigningKeys;
  readonly #arrivals: ArrivalSigns;
  readonly #rollbackAlarm: RollbackAlarm;
  readonly revocations: RevocationCache;
  readonly #policy: ClaimsPolicy;
  /** By digest of the whole token (law 5). Time, revocations and the session are checked on every use (law 9). */
  readonly #verified: TtlCache<VerifiedToken>;

  constructor(
    base: IssuerBase,
    parts: {
      readonly keys: SigningKeys;
      readonly revocations: RevocationCache;
      readonly arrivals: ArrivalSigns;
      readonly rollbackAlarm: RollbackAlarm;
    },
  ) {
    const { keys, revocations, arrivals, rollbackAlarm } = parts;
    this.#base = base;
    this.#keys = keys;
    this.#arrivals = arrivals;
    this.#rollbackAlarm = rollbackAlarm;
    this.revocations = revocations;
    this.#verified = new TtlCache({ maxBytes: MAX_REMEMBERED_BYTES, clock: base.clock });
    this.#policy = createClaimsPolicy({
      issuer: base.config.url,
      audience: base.config.audience,
      types: ["at+jwt"],
      requireTyp: true,
      requiredClaims: ["sub", "jti"],
    });
  }

  /**
   * Rejects when the store cannot be read, or has lost the session of the token (law 1). A valid token is a sign that its
   * generation arrived (law 8).
   */
  async check(token: string, toleranceMs: number = CLOCK_TOLERANCE_MS): Promise<AccessTokenResult> {
    if (token.length > MAX_TOKEN_BYTES) return invalid("too_large");
    const verified = await this.#verify(token);
    if (typeof verified === "string") return invalid(verified);
    const { claims } = verified;
    const { kid } = verified.key;
    const reason = this.#checkTime(claims, toleranceMs);
    if (reason !== null) return invalid(reason);
    if (await this.revocations.isRevoked(claims, kid)) return invalid("revoked");
    if (claims.sid === undefined) return { status: "valid", claims, session: null };
    const session = await this.#findSession(claims, claims.sid);
    const live = session !== null && isLive(session, this.#base.clock.now());
    if (!live) return invalid("revoked");
    this.#arrivals.recordAccessToken(claims, session);
    return { status: "valid", claims, session };
  }

  /**
   * Verifies signature and claims, once while the key is published. Services present the same token in many requests,
   * and a signature takes longer than all other checks. Only tokens of this issuer are remembered, so a stranger cannot
   * fill the memory (law 6).
   */
  async #verify(token: string): Promise<VerifiedToken | InvalidReason> {
    const digest = hash("sha256", token, "binary");
    const remembered = this.#verified.get(digest);
    const parsed = remembered === undefined ? parseToken(token) : null;
    if (parsed !== null && "reason" in parsed) return parsed.reason;
    const { kid, algorithm } = remembered?.key ?? (parsed as ParsedToken);
    const key = await this.#keys.find(kid, algorithm);
    if (key === undefined) return "unknown_key";
    if (remembered?.key === key) return remembered;
    const candidate = parsed ?? parseToken(token);
    if ("reason" in candidate) return candidate.reason;
    const reason = verifyWithKey(candidate, key, this.#policy);
    if (reason !== null) return reason;
    const verified = { claims: candidate.claims, key };
    this.#verified.set(digest, verified, { ttlMs: REMEMBER_MS, bytes: ENTRY_BYTES + 2 * token.length });
    return verified;
  }

  /** Rejects when only one of two clocks that disagree calls the token expired (law 1). */
  #checkTime(claims: Readonly<JwtClaims>, toleranceMs: number): InvalidReason | null {
    const { storeTime } = this.#base;
    const reason = checkTime(claims, storeTime.latest(), toleranceMs);
    if (reason === null || checkTime(claims, storeTime.earliest(), toleranceMs) !== null) return reason;
    const message = "the token has expired by one clock only: those of the process and of the store differ";
    throw new HoldfastError("store_unavailable", message);
  }

  async #findSession(claims: Readonly<JwtClaims>, id: string): Promise<AuthenticSession | null> {
    const record = await this.#base.store.sessions.get(id);
    if (record !== null) return await verifySessionRecord(this.#base, record, id);
    // A token that only a tolerance keeps alive may be older than the record of its session.
    const { exp, iat } = claims;
    if (typeof exp === "number" && typeof iat === "number" && exp * 1000 > this.#base.clock.now()) {
      await this.#rollbackAlarm.rejectLost(iat * 1000, { session: id });
    }
    return null;
  }
}

function invalid(reason: InvalidReason): AccessTokenResult {
  return { status: "invalid", reason };
}
