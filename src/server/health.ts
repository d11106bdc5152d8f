import { randomBytes } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import type { TrustedIssuerStatus } from "../guard/types.ts";
import type { IssuerStatus } from "../issuer/types.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { Store } from "../stores/store.ts";
import type { Service } from "./service.ts";

interface ComponentHealth {
  /** `degraded`: the component works, but will fail when its problem lasts. */
  readonly status: "ok" | "degraded" | "unavailable";
  /** A text for the operator, without credentials. */
  readonly detail: string;
}

export interface ServiceHealth {
  /** The status of the worst component. */
  readonly status: ComponentHealth["status"];
  readonly components: Readonly<Record<"store" | "keys" | "revocations" | "guard", ComponentHealth>> & {
    /** Present when `HOLDFAST_PROVIDER_ISSUER` is set. */
    readonly provider?: ComponentHealth;
  };
}

const STORE_DEADLINE_MS = 1000;

/** Checks each component by its work: it reads the store, and lets the guard refuse a forged token. */
export async function checkServiceHealth({ url, store, issuer, guard }: Service): Promise<ServiceHealth> {
  const [own, provider] = guard.status().issuers;
  if (own === undefined) throw new TypeError("the guard of the service has no issuer");
  const { state, keys, revocations } = own;
  const components = {
    store: await storeHealth(store),
    keys: keysHealth(keys),
    revocations: revocationsHealth(state, revocations),
    guard: await checkComponent(async () => {
      const verdict = await guard.validate(forgedToken(url, issuer.status().keys));
      const isRefused = verdict.status === "invalid" && verdict.reason === "bad_signature";
      if (!isRefused) throw new Error(`answered a forgery with ${verdict.status}`);
      return "refuses a forgery by its signature";
    }),
    ...(provider !== undefined && { provider: providerHealth(provider) }),
  };
  const has = (wanted: ComponentHealth["status"]) =>
    Object.values(components).some(({ status }) => status === wanted);
  return { status: has("unavailable") ? "unavailable" : has("degraded") ? "degraded" : "ok", components };
}

/** A store that may lose acknowledged writes still works, so it takes no instance out of service. */
async function storeHealth(store: Store): Promise<ComponentHealth> {
  const health = await checkComponent(async () => {
    await withDeadline(systemClock, "the store", STORE_DEADLINE_MS, async () => await store.now());
    return store.description;
  });
  const { problem = null } = store;
  if (health.status !== "ok" || problem === null) return health;
  return { status: "degraded", detail: `${health.detail} ${problem}` };
}

function keysHealth({ usable, kids, lastError }: TrustedIssuerStatus["keys"]): ComponentHealth {
  if (!usable) return { status: "unavailable", detail: lastError ?? "there is no key" };
  return lastError === null
    ? { status: "ok", detail: `${kids.length} keys` }
    : { status: "degraded", detail: `${kids.length} keys, last refresh failed: ${lastError}` };
}

/** One failed read does not take an instance out of service. The guard works until its view is too old. */
function revocationsHealth(
  state: TrustedIssuerStatus["state"],
  revocations: TrustedIssuerStatus["revocations"],
): ComponentHealth {
  const ageMs = Math.round(revocations?.ageMs ?? Infinity);
  const view = `${revocations?.entries ?? 0} in force, view ${ageMs} ms old`;
  if (revocations?.complete === true) return { status: "ok", detail: view };
  const detail = `${view}: ${revocations?.lastError ?? "the view is incomplete"}`;
  return { status: state === "ready" || state === "degraded" ? "degraded" : "unavailable", detail };
}

/** A provider is never worse than degraded. Taking this instance out of service would not bring the provider back. */
function providerHealth({ issuer, state, keys, authority }: TrustedIssuerStatus): ComponentHealth {
  if (state === "ready") return { status: "ok", detail: issuer };
  const failingMs = authority?.failingMs ?? null;
  const problem =
    failingMs !== null
      ? `its authority has not answered for ${Math.round(failingMs / 1000)} s: ${authority?.lastError ?? "no answer yet"}`
      : `keys: ${keys.lastError ?? (keys.vanished.length > 0 ? "one vanished from the set" : "none yet")}`;
  const effect = state === "degraded" ? "its tokens still get an answer" : "its tokens answer 503";
  return { status: "degraded", detail: `${issuer}: ${effect}; ${problem}` };
}

async function checkComponent(check: () => Promise<string> | string): Promise<ComponentHealth> {
  try {
    return { status: "ok", detail: await check() };
  } catch (error) {
    return { status: "unavailable", detail: error instanceof Error ? error.message : "failed" };
  }
}

/** Returns a token like the issuer's, with a random signature. It is new each time, so no cache answers for it. */
function forgedToken(iss: string, keys: IssuerStatus["keys"]): string {
  const signing = keys.find(({ activatedAt, retiredAt }) => activatedAt !== null && retiredAt === null);
  const { kid, algorithm: alg } = signing ?? { kid: "none", algorithm: "ES256" };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = encode({ alg, kid, typ: "at+jwt" });
  const claims = encode({ iss, jti: randomBytes(9).toString("base64url") });
  return `${header}.${claims}.${randomBytes(64).toString("base64url")}`;
}
