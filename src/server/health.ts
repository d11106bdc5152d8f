import { randomBytes } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import type { IssuerStatus } from "../issuer/types.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { Service } from "./service.ts";

interface Component {
  readonly status: "ok" | "unavailable";
  /** For the operator; without credentials. */
  readonly detail: string;
}

export interface Health {
  readonly status: "ok" | "unavailable";
  readonly components: Readonly<Record<"store" | "keys" | "revocations" | "guard", Component>>;
}

const STORE_DEADLINE_MS = 1000;

/** Asks each part to do what it is there for: read the store, and prove a token all the way to its signature. */
export async function checkHealth({ store, issuer, guard }: Service): Promise<Health> {
  const { keys, revocations } = guard.status();
  const components = {
    store: await component(async () => {
      await withDeadline(systemClock, "the store", STORE_DEADLINE_MS, async () => await store.now());
      return store.description;
    }),
    keys: await component(() => {
      if (!keys.usable) throw new Error(keys.lastError ?? "there is no key");
      return `${keys.kids.length} keys`;
    }),
    revocations: await component(() => {
      if (revocations?.complete !== true) throw new Error(revocations?.lastError ?? "not known completely");
      return `${revocations.entries} in force, view ${Math.round(revocations.ageMs)} ms old`;
    }),
    guard: await component(async () => {
      const verdict = await guard.validate(forgery(issuer.status().keys));
      const refused = verdict.status === "invalid" && verdict.reason === "bad_signature";
      if (!refused) throw new Error(`answered a forgery with ${verdict.status}`);
      return "refuses a forgery by its signature";
    }),
  };
  const well = Object.values(components).every(({ status }) => status === "ok");
  return { status: well ? "ok" : "unavailable", components };
}

async function component(check: () => Promise<string> | string): Promise<Component> {
  try {
    return { status: "ok", detail: await check() };
  } catch (error) {
    return { status: "unavailable", detail: error instanceof Error ? error.message : "failed" };
  }
}

/** A token as the issuer would sign it, signed by nobody. Never the same twice, so that no memory answers for it. */
function forgery(keys: IssuerStatus["keys"]): string {
  const signing = keys.find(({ activatedAt, retiredAt }) => activatedAt !== null && retiredAt === null);
  const { kid, algorithm: alg } = signing ?? { kid: "none", algorithm: "ES256" };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = part({ alg, kid, typ: "at+jwt" });
  return `${header}.${part({ jti: randomBytes(9).toString("base64url") })}.${randomBytes(64).toString("base64url")}`;
}
