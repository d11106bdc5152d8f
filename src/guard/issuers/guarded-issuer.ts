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
import { ServerClock } from "../server-date.ts";
import type { GuardSettings } from "../settings.ts";
import { ScopeSets } from "./scope-sets.ts";
import { policyDigest } from "../shared/policy-digest.ts";
import { IssuerSharedCache } from "../shared/issuer-shared-cache.ts";
import type { SharedCache } from "../shared/shared-cache.ts";
import type { HostRequests } from "../keys/host-limits.ts";
import type { IssuerSettings } from "../issuer-settings.ts";
import type { RevocationFeed, Snapshots } from "../../stores/store.ts";
import { ViewSnapshot, type ViewSnapshotOptions } from "../revocations/snapshot.ts";

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
  /** Whether an answer about an opaque token may lack the audience. */
  readonly answerMayLackAudience: boolean;
  /** The form of opaque tokens. `null` when the issuer has none. */
  readonly opaquePattern: RegExp | null;
  /** Revocations from the log, and denials by the authority. */
  readonly revocationView: RevocationView;
  readonly revocationFollower: RevocationFollower | undefined;
  /** Tells the issuer in the same process about a token that was verified for the first time. */
  readonly tokenAccepted: ((claims: Readonly<JwtClaims>) => void) | undefined;
  /** Asks the issuer in the same process. `undefined` when the issuer is elsewhere. */
  readonly isIssuedAfterStep: ((claims: Readonly<JwtClaims>) => boolean) | undefined;
  /** The clock of the server of the keys, or of the authority. */
  readonly serverClock: ServerClock;
  /** Keeps the view across restarts. `undefined` without a place for snapshots, or when there is nothing to revoke by. */
  readonly revocationSnapshot: ViewSnapshot | undefined;
  readonly degradedMonitor: DegradedMonitor;
  readonly scopeSets: ScopeSets;
  readonly decisionCounts: DecisionCounts;
  /** Fetches of the key set. */
  readonly keyRequests: RequestCounts;
  /** Questions to the authority, including probes. */
  readonly authorityRequests: RequestCounts;
  /** Called when a key of the issuer has verified a token. */
  readonly onVerified: (() => void) | undefined;
  /** Whether the guard has dropped the issuer. Earlier results for its tokens do not count any more. */
  isRetired: boolean;
}

/** The parts of a guard that its issuers share, and the parts that replace the defaults of one issuer. */
export interface GuardedIssuerParts {
  readonly hosts: HostRequests;
  readonly sharedCache?: SharedCache | undefined;
  /** Whether the events of the issuer are not published now. Default: never. */
  readonly isMuted?: () => boolean;
  /** Default: counts of the issuer alone. */
  readonly decisionCounts?: DecisionCounts;
  /** The view of an earlier issuer of the same name. Default: an empty view. */
  readonly view?: RevocationView | undefined;
  readonly onVerified?: () => void;
}

export function openGuardedIssuer(
  settings: GuardSettings,
  issuer: IssuerSettings,
  parts: GuardedIssuerParts,
): GuardedIssuer {
  const { hosts, sharedCache, onVerified, isMuted } = parts;
  const { name, clock, random, entropy, snapshots, revocationPollMs: pollMs, warnings, tracing } = settings;
  const maxAgeMs = settings.maxRevocationAgeMs;
  const { claimsPolicy, revocationFeed, algorithms } = issuer;
  const eventCounts = new Counts();
  const own = { guard: name, issuer: claimsPolicy.issuer, eventCounts, warnings, tracing };
  const source = { ...own, ...(isMuted && { isMuted }) };
  const keyRequests = new RequestCounts(["ok", "failed"]);
  const authorityRequests = new RequestCounts(["yes", "no", "failed", "misconfigured"]);
  const { view = new RevocationView(claimsPolicy.issuer, settings.maxRevocations, clock) } = parts;
  const follower =
    revocationFeed &&
    new RevocationFollower({ source, feed: revocationFeed, view, pollMs, maxAgeMs, clock, random });
  const serverClock = new ServerClock();
  const common = { ...source, clock, random, entropy, onServerDate: serverClock.record };
  const keyring = issuer.keys.open({ ...common, algorithms, snapshots, hosts, requests: keyRequests });
  const identity = issuer.authority?.identity;
  const authority = issuer.authority?.open({ ...common, requests: authorityRequests });
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
    answerMayLackAudience: issuer.authority?.allowMissingAud === true,
    opaquePattern: issuer.authority?.opaque ?? null,
    revocationView: view,
    revocationFollower: follower,
    ...issuerMethods(revocationFeed),
    serverClock,
    revocationSnapshot: openSnapshot(issuer, snapshots, { source, view, follower, clock, entropy }),
    degradedMonitor: new DegradedMonitor(source, clock),
    scopeSets: new ScopeSets(issuer.scopesFrom),
    decisionCounts: parts.decisionCounts ?? new DecisionCounts(),
    keyRequests,
    authorityRequests,
    onVerified,
    isRetired: false,
  };
}

/** The methods of an issuer in the same process. */
function issuerMethods(
  feed: RevocationFeed | undefined,
): Pick<GuardedIssuer, "tokenAccepted" | "isIssuedAfterStep"> {
  return {
    tokenAccepted: feed?.tokenAccepted?.bind(feed),
    isIssuedAfterStep: feed?.isIssuedAfterStep?.bind(feed),
  };
}

/** `undefined` without a place for snapshots, and when nothing can revoke a token. */
function openSnapshot(
  { claimsPolicy, revocationFeed, authority }: IssuerSettings,
  snapshots: Snapshots | undefined,
  parts: Omit<ViewSnapshotOptions, "audience" | "snapshots">,
): ViewSnapshot | undefined {
  if (snapshots === undefined || (revocationFeed ?? authority) === undefined) return undefined;
  return new ViewSnapshot({ ...parts, snapshots, audience: claimsPolicy.audience });
}

/** Starts what runs in the background, once the snapshots of earlier runs are loaded. */
export function startGuardedIssuer({ revocationFollower, authority }: GuardedIssuer): void {
  revocationFollower?.start();
  authority?.start();
}

/** Ends the work of an issuer, for good. */
export async function closeGuardedIssuer(issuer: GuardedIssuer): Promise<void> {
  issuer.isRetired = true;
  issuer.revocationFollower?.close();
  issuer.authority?.close();
  await Promise.all([issuer.keyring.close(), issuer.revocationSnapshot?.close()]);
}
