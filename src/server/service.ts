import { introspection } from "../guard/authority/introspection.ts";
import { createGuard } from "../guard/create-guard.ts";
import { platformFetch, type Fetch } from "../guard/fetch-json.ts";
import { discovered } from "../guard/keys/discovery.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { Guard, GuardOptions, TrustedIssuer } from "../guard/types.ts";
import type { Audiences } from "../issuer/audiences.ts";
import { createIssuer } from "../issuer/create-issuer.ts";
import type { Issuer } from "../issuer/types.ts";
import type { Store } from "../stores/store.ts";
import { readRedisOptions } from "./store/redis-access.ts";
import type { OpenedStore } from "./store/local-store.ts";
import { noGuardFile, type GuardFile } from "./guard-file.ts";
import { loadTracing } from "./load-tracing.ts";
import { systemPlatform, type Platform } from "./platform.ts";
import { createSessionDigest, type SessionDigest } from "./session-digest.ts";
import type { ProviderSettings, Settings } from "./settings.ts";

/**
 * How long the start waits for keys and revocations. The listeners answer 503 meanwhile. A busy machine needs minutes for a
 * million revocations, and a service that gave up would begin anew.
 */
const START_TIMEOUT_MS = 600_000;

/** The `iss` and the `aud` of the service's access tokens. */
export interface ServiceIdentity {
  readonly url: string;
  /** One audience, or several. The first one is that of the service's own endpoints and of `/verify`. */
  readonly audience: string | Audiences;
}

/** The audience that a token must name at the service's own endpoints, and at `/verify` unless the policy names another. */
export function ownAudience({ audience }: ServiceIdentity): string {
  return typeof audience === "string" ? audience : audience[0];
}

/** The service without its listeners: one store, one issuer, one guard. */
export interface Service extends ServiceIdentity {
  readonly store: Store;
  readonly issuer: Issuer;
  readonly guard: Guard;
  /** Names sessions as the log does. */
  readonly sessionDigest: SessionDigest;
  readonly platform: Platform;
  readonly close: () => Promise<void>;
}

/** Options of {@link composeService}. Each part of the platform that is left out is that of the system. */
interface CompositionOptions extends Partial<Platform>, Pick<GuardOptions, "snapshots"> {
  readonly guardFile?: GuardFile;
}

/**
 * Composes the service and waits until its parts work. The guard reads keys and revocations from the issuer as any
 * other guard does, but inside this process. On failure it closes every part, and the opened store. The store takes its
 * own clock and entropy when it is opened.
 */
export async function composeService(
  { store, secret }: Pick<OpenedStore, "store" | "secret">,
  settings: Settings,
  identity: ServiceIdentity,
  { guardFile = noGuardFile, snapshots, ...given }: CompositionOptions = {},
): Promise<Service> {
  const platform: Platform = { ...systemPlatform, ...given };
  const { clock, random, entropy, fetch } = platform;
  const { clients, shortSession, loginNames, corsOrigins, cookies, provider, lifetimes } = settings;
  const parts: { close(): Promise<void> }[] = [store];
  const close = async () => {
    for (const part of parts.splice(0).toReversed()) await part.close();
  };
  try {
    const tracing = await loadTracing(settings.traces);
    const issuer = createIssuer({
      ...identity,
      store,
      secret,
      clients,
      shortSession,
      loginNames,
      corsOrigins,
      ...(cookies !== undefined && { cookies }),
      ...tracing,
      ...lifetimes,
      clock,
      random,
      entropy,
    });
    parts.push(issuer);
    await issuer.ready();
    const own = {
      issuer: identity.url,
      audience: identity.audience,
      // The request goes to the issuer in this process and never to localhost, so frequent refreshes are cheap.
      keys: jwks("http://localhost/.well-known/jwks.json", {
        fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
        freshMs: 60_000,
        coolDownMs: 1000,
      }),
      revocations: issuer.revocations,
    };
    const guard = createGuard({
      issuers: [
        own,
        ...(provider === undefined ? [] : [trustedProvider(provider, identity.audience, fetch)]),
        ...guardFile.issuers,
      ],
      degraded: settings.degraded ?? "deny",
      ...guardFile.options,
      ...(await sharedCacheOptions(settings, secret, guardFile)),
      ...(snapshots !== undefined && { snapshots }),
      ...tracing,
      clock,
      random,
      entropy,
      name: "service",
      // The log of the service has the refusals as events.
      warnings: false,
    });
    parts.push(guard);
    // The start does not wait for a provider. Its tokens are 503 while it is down.
    await guard.ready({ issuer: identity.url, timeoutMs: START_TIMEOUT_MS });
    return { ...identity, store, issuer, guard, sessionDigest: createSessionDigest(secret), platform, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The provider whose tokens `/verify` accepts, as it does those of the service. */
export function trustedProvider(
  { issuer, allowHttp, jwksUrl, authority }: ProviderSettings,
  audience: ServiceIdentity["audience"],
  fetch: Fetch = platformFetch,
): TrustedIssuer {
  return {
    issuer,
    audience,
    keys: jwksUrl === undefined ? discovered({ allowHttp, fetch }) : jwks(jwksUrl, { allowHttp, fetch }),
    ...(authority !== undefined && {
      authority: introspection({
        url: authority.url,
        allowHttp,
        clientId: authority.client.id,
        clientSecret: authority.client.secret,
        opaque: authority.opaque,
        ask: authority.ask,
        fetch,
      }),
    }),
  };
}

/** Services on one Redis share the answers of the provider's authority. */
async function sharedCacheOptions(
  { redis, provider }: Settings,
  secret: string,
  { hasAuthority }: GuardFile,
): Promise<Pick<GuardOptions, "shared">> {
  if (redis === undefined || (provider?.authority === undefined && !hasAuthority)) return {};
  const { replicas: _, durability: __, ...options } = await readRedisOptions(redis);
  const { redisAnswers } = await import("../stores/redis.ts");
  return { shared: redisAnswers({ ...options, secret }) };
}

/**
 * Records the identity of the service in the store. Commands beside the service need it, because a revocation under
 * another issuer would match no token. The last start wins. Returns the previous identity when it was another one.
 */
export async function recordIdentity(
  store: Store,
  { url, audience }: ServiceIdentity,
): Promise<ServiceIdentity | null> {
  const wanted = JSON.stringify({ url, audience });
  const previous = await store.markers.claim("identity", wanted);
  for (let current = previous; current !== wanted;) {
    await store.markers.replace("identity", current, wanted);
    current = (await store.markers.read("identity")) ?? wanted;
  }
  return previous === wanted ? null : (JSON.parse(previous) as ServiceIdentity);
}
