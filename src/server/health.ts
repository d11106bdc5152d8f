import { randomBytes } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import type { TrustedIssuerStatus } from "../guard/types.ts";
import type { IssuerStatus } from "../issuer/types.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { Service } from "./service.ts";

interface ComponentHealth {
  /** `degraded`: it still does its work, but not for long if this goes on. */
  readonly status: "ok" | "degraded" | "unavailable";
  /** For the operator; without credentials. */
  readonly detail: string;
}

export interface ServiceHealth {
  /** That of the worst part. */
  readonly status: ComponentHealth["status"];
  readonly components: Readonly<Record<"store" | "keys" | "revocations" | "guard", ComponentHealth>> & {
    /** Somebody else's, where one is configured. */
    readonly provider?: ComponentHealth;
  };
}

const STORE_DEADLINE_MS = 1000;

/** Asks each part to do what it is there for: read the store, and prove a token all the way to its signature. */
export async function checkServiceHealth({ url, store, issuer, guard }: Service): Promise<ServiceHealth> {
  const [own, provider] = guard.status().issuers;
  if (own === undefined) throw new TypeError("the service's guard has no issuer");
  const { state, keys, revocations } = own;
  const components = {
    store: await checkComponent(async () => {
      await withDeadline(systemClock, "the store", STORE_DEADLINE_MS, async () => await store.now());
      return store.description;
    }),
    keys: keysHealth(keys),
    revocations: revocationsHealth(state, revocations),
    guard: await checkComponent(async () => {
      const verdict = await guard.validate(forgedToken(url, issuer.status().keys));
      const refused = verdict.status === "invalid" && verdict.reason === "bad_signature";
      if (!refused) throw new Error(`answered a forgery with ${verdict.status}`);
      return "refuses a forgery by its signature";
    }),
    ...(provider !== undefined && { provider: providerHealth(provider) }),
  };
  const has = (one: ComponentHealth["status"]) =>
    Object.values(components).some(({ status }) => status === one);
  return { status: has("unavailable") ? "unavailable" : has("degraded") ? "degraded" : "ok", components };
}

function keysHealth({ usable, kids, lastError }: TrustedIssuerStatus["keys"]): ComponentHealth {
  if (!usable) return { status: "unavailable", detail: lastError ?? "there is no key" };
  return lastError === null
    ? { status: "ok", detail: `${kids.length} keys` }
    : { status: "degraded", detail: `${kids.length} keys, and no news of them: ${lastError}` };
}

/** One read that failed is no reason to take an instance out of service: the guard goes on until its view is too old. */
function revocationsHealth(
  state: TrustedIssuerStatus["state"],
  revocations: TrustedIssuerStatus["revocations"],
): ComponentHealth {
  const ageMs = Math.round(revocations?.ageMs ?? Infinity);
  const view = `${revocations?.entries ?? 0} in force, view ${ageMs} ms old`;
  if (revocations?.complete === true) return { status: "ok", detail: view };
  const detail = `${view}: ${revocations?.lastError ?? "not known completely"}`;
  return { status: state === "ready" || state === "degraded" ? "degraded" : "unavailable", detail };
}

/** Never worse than degraded: to take this instance out of service would not bring the provider back. */
function providerHealth({ issuer, state, keys, authority }: TrustedIssuerStatus): ComponentHealth {
  if (state === "ready") return { status: "ok", detail: issuer };
  const silent = authority?.failingMs ?? null;
  const detail =
    silent !== null
      ? `its authority has not answered for ${Math.round(silent / 1000)} s: ${authority?.lastError ?? "no answer yet"}`
      : `keys: ${keys.lastError ?? (keys.vanished.length > 0 ? "one vanished from the set" : "none yet")}`;
  const means = state === "degraded" ? "its tokens still get an answer" : "its tokens answer 503";
  return { status: "degraded", detail: `${issuer}: ${means}; ${detail}` };
}

async function checkComponent(check: () => Promise<string> | string): Promise<ComponentHealth> {
  try {
    return { status: "ok", detail: await check() };
  } catch (error) {
    return { status: "unavailable", detail: error instanceof Error ? error.message : "failed" };
  }
}

/** A token as the issuer would sign it, signed by nobody. Never the same twice, so that no memory answers for it. */
function forgedToken(iss: string, keys: IssuerStatus["keys"]): string {
  const signing = keys.find(({ activatedAt, retiredAt }) => activatedAt !== null && retiredAt === null);
  const { kid, algorithm: alg } = signing ?? { kid: "none", algorithm: "ES256" };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = part({ alg, kid, typ: "at+jwt" });
  return `${header}.${part({ iss, jti: randomBytes(9).toString("base64url") })}.${randomBytes(64).toString("base64url")}`;
}
