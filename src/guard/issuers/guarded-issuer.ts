import { invalidOption } from "../../core/options.ts";
import { Counts, RequestCounts } from "../../core/metrics.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { deferAbsentClaims, type ClaimsPolicy } from "../../jwt/claims.ts";
import type { Authority } from "../authority/authority.ts";
import { DecisionCounts } from "../metrics/decision-counts.ts";
import type { Keyring } from "../keys/key-source.ts";
import { DegradedMonitor } from "./degraded-monitor.ts";
import type { GuardEventSource } from "../emit.ts";
import { RevocationFollower } from "../revocations/follower.ts";
import { RevocationView } from "../revocations/view.ts";
import type { GuardSettings } from "../settings.ts";
import { ScopeSets } from "./scope-sets.ts";
import { policyDigest } from "../shared/policy-digest.ts";
import { IssuerSharedCache } from "../shared/issuer-shared-cache.ts";
import type { SharedCache } from "../shared/shared-cache.ts";
import type { HostLimits } from "../keys/host-limits.ts";
import type { IssuerSettings } from "../issuer-settings.ts";
import { ViewSnapshot } from "../revocations/snapshot.ts";

/**
 * One issuer's part of a guard. Guarded issuers share the result cache and the connection to the shared cache. A failure
 * of one issuer's parts does not touch the others.
 */
export interface GuardedIssuer extends Pick<IssuerSettings, "claimsPolicy"> {
  /** The policy for what a token itself must say. An authority may add what the token lacks. */
  readonly tokenPolicy: ClaimsPolicy;
  readonly source: GuardEventSource & { readonly issuer: string; readonly eventCounts: Counts };
  readonly keyring: Keyring;
  readonly authority: Authority | undefined;
  /** The same authority. `undefined` when it is asked about opaque tokens only. */
  readonly jwtAuthority: Authority | undefined;
  /** The authority's answers that instances share. `undefined` when the guard shares nothing. */
  readonly sharedCache: IssuerSharedCache | undefined;
  /** The form of opaque tokens. `null` when the issuer has none. */
  readonly opaquePattern: RegExp | null;
  /** Revocations from the log, and denials by the authority. */
  readonly revocationView: RevocationView;
  readonly revocationFollower: RevocationFollower | undefined;
  /** Tells the issuer in the same process about a token that was verified for the first time. */
  readonly tokenAccepted: ((claims: Readonly<JwtClaims>) => void) | undefined;
  /** Keeps the view across restarts. `undefined` without a place for snapshots, or when there is nothing to revoke by. */
  readonly revocationSnapshot: ViewSnapshot | undefined;
  readonly degradedMonitor: DegradedMonitor;
  readonly scopeSets: ScopeSets;
  readonly decisionCounts: DecisionCounts;
  /** Fetches of the key set. */
  readonly keyRequests: RequestCounts;
  /** Questions to the authority, including probes. */
  readonly authorityRequests: RequestCounts;
}

export function openGuardedIssuer(
  settings: GuardSettings,
  issuer: IssuerSettings,
  hosts: HostLimits,
  sharedCache?: SharedCache,
): GuardedIssuer {
  const { name, clock, random, snapshots, revocationPollMs: pollMs, warnings } = settings;
  const maxAgeMs = settings.maxRevocationAgeMs;
  const { claimsPolicy, revocationFeed, algorithms } = issuer;
  const source = { guard: name, issuer: claimsPolicy.issuer, eventCounts: new Counts(), warnings };
  const keyRequests = new RequestCounts(["ok", "failed"]);
  const authorityRequests = new RequestCounts(["yes", "no", "failed", "misconfigured"]);
  const view = new RevocationView(claimsPolicy.issuer, settings.maxRevocations);
  const follower =
    revocationFeed &&
    new RevocationFollower({ source, feed: revocationFeed, view, pollMs, maxAgeMs, clock, random });
  const { audience } = claimsPolicy;
  const keyring = issuer.keys.open({
    ...source,
    algorithms,
    clock,
    random,
    snapshots,
    hosts,
    requests: keyRequests,
  });
  const identity = issuer.authority?.identity;
  const authority = issuer.authority?.open({ ...source, clock, random, requests: authorityRequests });
  const asksAboutJwts = authority !== undefined && issuer.authority?.ask !== "opaque";
  const sharing = identity !== undefined && {
    ...settings,
    source,
    policyDigest: policyDigest(claimsPolicy, keyring.algorithms, identity),
  };
  return {
    claimsPolicy,
    tokenPolicy: asksAboutJwts ? deferAbsentClaims(claimsPolicy) : claimsPolicy,
    source,
    keyring,
    authority,
    jwtAuthority: asksAboutJwts ? authority : undefined,
    sharedCache:
      sharedCache && sharing ? new IssuerSharedCache({ ...sharing, cache: sharedCache }) : undefined,
    opaquePattern: issuer.authority?.opaque ?? null,
    revocationView: view,
    revocationFollower: follower,
    tokenAccepted: revocationFeed?.tokenAccepted?.bind(revocationFeed),
    revocationSnapshot:
      snapshots !== undefined && (revocationFeed ?? issuer.authority) !== undefined
        ? new ViewSnapshot({ source, audience, snapshots, view, follower, clock })
        : undefined,
    degradedMonitor: new DegradedMonitor(source, clock),
    scopeSets: new ScopeSets(issuer.scopesFrom),
    decisionCounts: new DecisionCounts(),
    keyRequests,
    authorityRequests,
  };
}

/** The issuers of a guard. */
export class GuardedIssuers {
  readonly all: readonly GuardedIssuer[];
  /** The issuer whose authority is asked about opaque tokens. */
  readonly forOpaqueTokens: GuardedIssuer | undefined;
  readonly #byIssuer: ReadonlyMap<string | undefined, GuardedIssuer>;

  constructor(all: readonly GuardedIssuer[]) {
    this.all = all;
    this.forOpaqueTokens = all.find(({ opaquePattern }) => opaquePattern !== null);
    this.#byIssuer = new Map(all.map((issuer) => [issuer.source.issuer, issuer]));
  }

  /** Changes whenever the keys of one issuer change. */
  get keysVersion(): number {
    return this.all.reduce((sum, { keyring }) => sum + keyring.version, 0);
  }

  /**
   * Finds the issuer that a token names. A guard of one issuer takes every token for that issuer's: an error about `iss`
   * before the signature is verified would tell a stranger which issuer the guard trusts.
   */
  findByIss(issuer: string | undefined): GuardedIssuer | undefined {
    return this.all.length === 1 ? this.all[0] : this.#byIssuer.get(issuer);
  }

  /** Throws `invalid_option` for an unknown issuer, and without a name when there are several issuers. */
  getByName(issuer: string | undefined): GuardedIssuer {
    const found = issuer === undefined ? this.findByIss(issuer) : this.#byIssuer.get(issuer);
    if (found === undefined) throw invalidOption("issuer", "one that this guard trusts", issuer);
    return found;
  }
}
