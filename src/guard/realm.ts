import { invalidOption } from "../core/options.ts";
import type { Authority } from "./authority/authority.ts";
import type { Keyring } from "./keys/key-source.ts";
import { Lapses } from "./lapses.ts";
import type { Source } from "./report.ts";
import { RevocationFollower } from "./revocation-feed.ts";
import { RevocationView } from "./revocation-view.ts";
import type { GuardSettings } from "./settings.ts";
import { ScopeSets } from "./scope-sets.ts";
import { sharingPolicy } from "./shared/policy.ts";
import { Share } from "./shared/share.ts";
import type { SharedTier } from "./shared/shared-tier.ts";
import type { IssuerSettings } from "./trusted-issuer.ts";
import { ViewSnapshot } from "./view-snapshot.ts";

/** One issuer's part of a guard. Realms share the memory of findings, the way to other instances, and nothing whose failure anybody notices. */
export interface Realm extends Pick<IssuerSettings, "policy"> {
  readonly source: Source & { readonly issuer: string };
  readonly keyring: Keyring;
  readonly authority: Authority | undefined;
  /** What other instances know of its answers. */
  readonly share: Share | undefined;
  /** What opaque tokens look like; `null` when there are none. */
  readonly opaque: RegExp | null;
  /** What the log revoked, and what the authority said no to. */
  readonly view: RevocationView;
  readonly revocations: RevocationFollower | undefined;
  /** Keeps the view over restarts. */
  readonly snapshot: ViewSnapshot | undefined;
  readonly lapses: Lapses;
  readonly scopes: ScopeSets;
}

export function openRealm(settings: GuardSettings, issuer: IssuerSettings, tier?: SharedTier): Realm {
  const { name, clock, random, snapshots, revocationPollMs: pollMs } = settings;
  const maxAgeMs = settings.maxRevocationAgeMs;
  const { policy, feed, algorithms } = issuer;
  const source = { guard: name, issuer: policy.issuer };
  const view = new RevocationView(policy.issuer, settings.maxRevocations);
  const follower = feed && new RevocationFollower({ source, feed, view, pollMs, maxAgeMs, clock, random });
  const { audience } = policy;
  const keyring = issuer.keys.open({ ...source, algorithms, clock, random, snapshots });
  const identity = issuer.authority?.identity;
  const sharing = identity !== undefined && {
    ...settings,
    source,
    policy: sharingPolicy(policy, keyring.algorithms, identity),
  };
  return {
    policy,
    source,
    keyring,
    authority: issuer.authority?.open({ ...source, clock, random }),
    share: tier && sharing ? new Share({ ...sharing, tier }) : undefined,
    opaque: issuer.authority?.opaque ?? null,
    view,
    revocations: follower,
    snapshot:
      snapshots !== undefined && (feed ?? issuer.authority) !== undefined
        ? new ViewSnapshot({ source, audience, snapshots, view, follower, clock })
        : undefined,
    lapses: new Lapses(source, clock),
    scopes: new ScopeSets(),
  };
}

/** The issuers of a guard. */
export class Realms {
  readonly all: readonly Realm[];
  /** Whose opaque tokens are accepted. */
  readonly opaque: Realm | undefined;
  readonly #byIssuer: ReadonlyMap<string | undefined, Realm>;

  constructor(all: readonly Realm[]) {
    this.all = all;
    this.opaque = all.find(({ opaque }) => opaque !== null);
    this.#byIssuer = new Map(all.map((realm) => [realm.source.issuer, realm]));
  }

  /** Changes whenever the keys of one of them do. */
  get keysVersion(): number {
    return this.all.reduce((sum, { keyring }) => sum + keyring.version, 0);
  }

  /** Whose token it claims to be. Where there is one issuer, its keys judge: who cannot sign learns nothing. */
  claimed(issuer: string | undefined): Realm | undefined {
    return this.all.length === 1 ? this.all[0] : this.#byIssuer.get(issuer);
  }

  /** Throws `invalid_option` for one that is not among them, or none where there are several. */
  named(issuer: string | undefined): Realm {
    const realm = issuer === undefined ? this.claimed(issuer) : this.#byIssuer.get(issuer);
    if (realm === undefined) throw invalidOption("issuer", "one that this guard trusts", issuer);
    return realm;
  }
}
