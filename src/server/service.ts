import { createGuard } from "../guard/create-guard.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { Guard, GuardOptions } from "../guard/types.ts";
import { createIssuer } from "../issuer/create-issuer.ts";
import type { Issuer } from "../issuer/types.ts";
import type { Store } from "../stores/store.ts";
import { redisAnswers } from "../stores/redis.ts";
import type { OpenedStore } from "./store/local-store.ts";
import { trustedProvider } from "./provider.ts";
import type { Settings } from "./settings.ts";

/** Who the tokens are from, and for whom. */
export interface ServiceIdentity {
  readonly url: string;
  readonly audience: string;
}

/** One store, one issuer, one guard: the whole of the service without its listeners. */
export interface Service extends ServiceIdentity {
  readonly store: Store;
  readonly issuer: Issuer;
  readonly guard: Guard;
  readonly close: () => Promise<void>;
}

/**
 * Puts the parts together and waits until they work. The guard reads keys and revocations from the issuer as any
 * guard would, only without a network between them. Closes what it opened, the store too, when it fails.
 * `lasting`: where the guard keeps what it knows over restarts, if anywhere.
 */
export async function composeService(
  local: OpenedStore,
  settings: Settings,
  identity: ServiceIdentity,
  persistence: Pick<GuardOptions, "snapshots"> = {},
): Promise<Service> {
  const { store, secret } = local;
  const { clients, corsOrigins, provider } = settings;
  const opened: { close(): Promise<void> }[] = [store];
  const close = async () => {
    for (const part of opened.splice(0).toReversed()) await part.close();
  };
  try {
    const issuer = createIssuer({ ...identity, store, secret, clients, corsOrigins });
    opened.push(issuer);
    await issuer.ready();
    const own = {
      issuer: identity.url,
      audience: identity.audience,
      // The host is never asked: the request goes to the issuer in this process, so asking often costs nothing.
      keys: jwks("http://localhost/.well-known/jwks.json", {
        fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
        freshMs: 60_000,
        coolDownMs: 1000,
      }),
      revocations: issuer.revocations,
    };
    const guard = createGuard({
      issuers: provider === undefined ? [own] : [own, trustedProvider(provider, identity.audience)],
      degraded: settings.degraded ?? "deny",
      ...sharedCacheOptions(settings, secret),
      ...persistence,
      name: "service",
    });
    opened.push(guard);
    // A provider that is down keeps nobody from starting: its tokens are 503 until it is back.
    await guard.ready({ issuer: identity.url });
    return { ...identity, store, issuer, guard, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** With Redis there, what one service hears of a provider's authority saves the others the question. */
function sharedCacheOptions({ redis, provider }: Settings, secret: string): Pick<GuardOptions, "shared"> {
  if (redis === undefined || provider?.authority === undefined) return {};
  const { replicas: _, durability: __, ...target } = redis;
  return { shared: redisAnswers({ ...target, secret }) };
}

/**
 * Whose tokens the store's are, for commands that run beside the service: a revocation under another issuer's
 * name would concern no token at all. `serve` writes it, last start wins. Returns the one before, if it was another.
 */
export async function recordIdentity(
  store: Store,
  { url, audience }: ServiceIdentity,
): Promise<ServiceIdentity | null> {
  const wanted = JSON.stringify({ url, audience });
  const before = await store.markers.claim("identity", wanted);
  for (let standing = before; standing !== wanted;) {
    await store.markers.replace("identity", standing, wanted);
    standing = (await store.markers.read("identity")) ?? wanted;
  }
  return before === wanted ? null : (JSON.parse(before) as ServiceIdentity);
}
