import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { TestContext } from "node:test";
import type { GuardEvent } from "../../../src/core/events.ts";
import type { KeyLookup, Keyring, KeyContext, KeySource } from "../../../src/guard/keys/key-source.ts";
import type { Snapshots } from "../../../src/stores/store.ts";
import type { VerificationKey } from "../../../src/jwt/jwk-set.ts";
import { parseToken } from "../../../src/jwt/parse.ts";
import { verifySignature } from "../../../src/jwt/signature.ts";
import { issuer } from "../fixture.ts";

/** Opens a source as a guard does. Without `more.random` there is no jitter. */
export function openKeyring(
  source: KeySource,
  more: Pick<KeyContext, "clock"> & Partial<KeyContext>,
): Keyring {
  return source.open({
    guard: "keys",
    issuer,
    algorithms: undefined,
    random: () => 0.5,
    snapshots: undefined,
    ...more,
  });
}

/** Returns the key that signed `token`, or the verdict of a guard that cannot find it. */
export async function findSigner(
  keyring: Keyring,
  token: string,
): Promise<VerificationKey | Exclude<KeyLookup, { status: "found" }>> {
  const parsed = parseToken(token);
  if ("reason" in parsed) throw new Error(`the test made a bad token: ${parsed.reason}`);
  const made = (keys: readonly VerificationKey[]) => keys.find((key) => verifySignature(parsed, key));
  const tried = keyring.find(parsed.kid, parsed.algorithm);
  const key = made(tried);
  if (key !== undefined) return key;
  if (tried.length > 0 && parsed.kid !== undefined) return { status: "invalid", reason: "bad_signature" };
  const lookup = await keyring.resolve(parsed, tried);
  if (lookup.status !== "found") return lookup;
  return made(lookup.keys) ?? { status: "unavailable", cause: "key_pending", retryAfterMs: 1 };
}

/** Returns `"verified"`, the reason of an invalid verdict, or the cause of an unavailable one. */
export async function verifyOutcome(keyring: Keyring, token: string): Promise<string> {
  const found = await findSigner(keyring, token);
  if (!("status" in found)) return "verified";
  return found.status === "invalid" ? found.reason : found.cause;
}

/** Records the events of all guards until the test ends. */
export function recordEvents(t: TestContext): GuardEvent[] {
  const recorded: GuardEvent[] = [];
  const listen = (event: unknown) => void recorded.push(event as GuardEvent);
  subscribe("holdfast:guard", listen);
  t.after(() => unsubscribe("holdfast:guard", listen));
  return recorded;
}

/** Keeps snapshots in memory. */
export function fakeSnapshots(): Snapshots & { readonly saved: Map<string, unknown> } {
  const saved = new Map<string, unknown>();
  return {
    saved,
    load: async (name) => await Promise.resolve(saved.get(name) ?? null),
    save: async (name, value) => void (await Promise.resolve(saved.set(name, value))),
  };
}
