import { invalidOption } from "../../core/options.ts";
import { refusalDetail } from "../../core/refusal-detail.ts";
import { invalidVerdict, type InvalidVerdict } from "../../core/verdict.ts";
import { HostLimits } from "../keys/host-limits.ts";
import type { GuardSettings } from "../settings.ts";
import type { SharedCache } from "../shared/shared-cache.ts";
import { FoundIssuers, type FoundIssuer } from "./found-issuers.ts";
import { closeGuardedIssuer, openGuardedIssuer, type GuardedIssuer } from "./guarded-issuer.ts";
import { MAX_ISSUER_LENGTH } from "./tenants.ts";

/** The issuers of a guard: those that the options name, and those that are found when their first token arrives. */
export class GuardedIssuers {
  /** The configured issuers, and the shared key sets of patterns. */
  readonly configured: readonly GuardedIssuer[];
  /** The issuer whose authority is asked about opaque tokens. */
  readonly forOpaqueTokens: GuardedIssuer | undefined;
  /** `undefined` when the options name every issuer. */
  readonly found: FoundIssuers | undefined;
  readonly #byIssuer: ReadonlyMap<string | undefined, GuardedIssuer>;
  readonly #only: GuardedIssuer | undefined;
  /** The names that a refusal shows as the trusted issuers. */
  readonly #trusted: readonly string[];
  readonly #listeners = new Set<() => void>();

  constructor(settings: GuardSettings, sharedCache: SharedCache | undefined) {
    const hosts = new HostLimits(settings.clock);
    const parts = { hosts, sharedCache };
    const { families, issuerFor } = settings;
    const issuers = settings.issuers.map((issuer) => openGuardedIssuer(settings, issuer, parts));
    const shared = families.flatMap(({ sharedKeys }) =>
      sharedKeys === null ? [] : openGuardedIssuer(settings, sharedKeys, parts),
    );
    this.configured = [...issuers, ...shared];
    const onRevocation = () => this.#listeners.forEach((listener) => listener());
    for (const { revocationView } of this.configured) revocationView.subscribe(onRevocation);
    this.#trusted = [
      ...issuers.map(({ source }) => source.issuer),
      ...families.map(({ pattern }) => pattern.pattern),
    ];
    const mayFind = families.length > 0 || issuerFor !== undefined;
    const refuse = (iss: string) => this.#refuse(iss);
    this.found = mayFind ? new FoundIssuers(settings, { ...parts, onRevocation, refuse }) : undefined;
    this.forOpaqueTokens = issuers.find(({ opaquePattern }) => opaquePattern !== null);
    this.#byIssuer = new Map(issuers.map((issuer) => [issuer.source.issuer, issuer]));
    this.#only = mayFind || issuers.length > 1 ? undefined : issuers[0];
  }

  /** Every issuer that is open now. */
  *all(): Generator<GuardedIssuer> {
    yield* this.configured;
    if (this.found !== undefined) yield* this.found.all();
  }

  /**
   * Finds the issuer that a token names. The promise never rejects. A guard of one issuer takes every token for that
   * issuer's. An error about `iss` before the signature is verified would tell a stranger which issuer it trusts.
   */
  find(iss: string | undefined): FoundIssuer | Promise<FoundIssuer> {
    const issuer = this.#only ?? this.#byIssuer.get(iss);
    if (issuer !== undefined) return issuer;
    return (iss === undefined ? undefined : this.found?.find(iss)) ?? this.#refuse(iss);
  }

  /**
   * Refuses a token of an unknown issuer. Its name may be the true name of a configured issuer. The token then waits for
   * the keys of the configured issuer, because an error in an issuer's name must make no good token invalid.
   */
  #refuse(iss: string | undefined): GuardedIssuer | InvalidVerdict {
    const host = hostOf(iss);
    const named = this.configured.find(
      ({ keyring }) => iss !== undefined && keyring.mayBeNamed?.(iss, host) === true,
    );
    if (named !== undefined) return named;
    const detail = refusalDetail(null, "iss", this.#trusted, iss);
    return invalidVerdict(iss === undefined ? "missing_claim" : "wrong_issuer", detail);
  }

  /** Throws `invalid_option` for an issuer that is not open, and without a name when there are several issuers. */
  getByName(name: string | undefined): GuardedIssuer {
    const { configured, found } = this;
    const isOnly = name === undefined && configured.length === 1;
    const issuer = isOnly ? configured[0] : configured.find(({ source }) => source.issuer === name);
    const known = issuer ?? (name === undefined ? undefined : found?.get(name)?.guarded);
    if (known === undefined) throw invalidOption("issuer", "one that this guard trusts", name);
    return known;
  }

  /** Calls `listener` after each new revocation of any issuer, until the returned function is called. */
  watch(listener: () => void): () => void {
    // The same listener may be passed twice. Each call subscribes its own function, so that either can end.
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    await Promise.all([...this.configured.map(closeGuardedIssuer), this.found?.close()]);
  }
}

/**
 * The host of an `iss` that nothing has verified. It is empty for a long text. The time to parse a host in another script
 * grows with the square of its length (law 6).
 */
function hostOf(iss: string | undefined): string {
  return iss === undefined || iss.length > MAX_ISSUER_LENGTH ? "" : (URL.parse(iss)?.hostname ?? "");
}
