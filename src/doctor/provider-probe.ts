import { systemClock } from "../core/clock.ts";
import { guardEvents } from "../core/event-channels.ts";
import type { GuardEvent } from "../core/events.ts";
import type { IssuerSettings } from "../guard/issuer-settings.ts";
import type { Keyring, KeysStatus } from "../guard/keys/key-source.ts";
import type { Snapshots } from "../stores/store.ts";

/** A key set as it was fetched, and where from. */
export interface KeyDocument {
  readonly url: string;
  readonly jwks: unknown;
}

/** The keys of a provider, fetched as a guard fetches them. */
export interface FetchedKeys {
  readonly status: KeysStatus;
  /** A closed keyring, which still finds the keys that it has. */
  readonly keyring: Pick<Keyring, "find">;
  /** Empty when the keys are configured, or when no set was usable. */
  readonly documents: readonly KeyDocument[];
}

/** Says what to do about a key set that cannot be fetched. A server without a document at the address is reachable. */
export function adviseKeys({ settings }: ProviderProbe, { status }: FetchedKeys): string {
  if (!/answered (?:404|410)\b/.test(status.lastError ?? "")) {
    return "make the key set reachable from here; docs/run/networks.md explains the codes";
  }
  return settings.keys.kind === "jwks"
    ? "correct HOLDFAST_PROVIDER_JWKS_URL, or remove it to discover the keys; correct a provider of HOLDFAST_GUARD in its file"
    : "set the provider's exact issuer, or its key set in HOLDFAST_PROVIDER_JWKS_URL";
}

/** The address that is configured for the keys. `null` when they are discovered below the issuer, or are given. */
export function configuredKeysUrl({ keys }: Pick<IssuerSettings, "keys">): string | null {
  const url = keys.identity?.[1];
  return (keys.kind === "jwks" || keys.kind === "discovered") && typeof url === "string" ? url : null;
}

/** A failure that repeats itself is reported. One lost connection is not. */
const MAX_FAILURES = 2;
const TIMEOUT_MS = 4500;

/** Asks one provider through the same code as the guard of the service. Several checks share what it finds. */
export class ProviderProbe {
  readonly settings: IssuerSettings;
  #keys: Promise<FetchedKeys> | null = null;

  constructor(settings: IssuerSettings) {
    this.settings = settings;
  }

  get issuer(): string {
    return this.settings.claimsPolicy.issuer;
  }

  /** Fetches the keys once. Never rejects: the status has the reason of a failure. */
  async keys(): Promise<FetchedKeys> {
    return await (this.#keys ??= this.#fetchKeys());
  }

  async #fetchKeys(): Promise<FetchedKeys> {
    const { keys, algorithms } = this.settings;
    // The name is the object's own, so that the events of other guards in this process are not counted.
    const guard = `doctor ${this.issuer}`;
    const documents: KeyDocument[] = [];
    const snapshots: Snapshots = {
      load: async () => await Promise.resolve(null),
      async save(_, saved) {
        const { url, jwks } = saved as KeyDocument;
        documents.push({ url, jwks });
        await Promise.resolve();
      },
    };
    const stop = new AbortController();
    let failures = 0;
    const count = (published: unknown) => {
      const { guard: from, event } = published as GuardEvent;
      if (from === guard && event === "keys_failed" && ++failures >= MAX_FAILURES) stop.abort();
    };
    guardEvents.subscribe(count);
    const keyring = keys.open({
      guard,
      issuer: this.issuer,
      algorithms,
      clock: systemClock,
      random: Math.random,
      snapshots,
    });
    try {
      await keyring
        .ready(AbortSignal.any([stop.signal, AbortSignal.timeout(TIMEOUT_MS)]))
        .catch(() => undefined);
      const status = keyring.status();
      await keyring.close();
      return { status, keyring, documents };
    } finally {
      guardEvents.unsubscribe(count);
    }
  }
}
