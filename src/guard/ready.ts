import { HoldfastError } from "../core/errors.ts";
import { onlyKnown, wholeNumber } from "../core/options.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { Ladder } from "./context.ts";
import type { Realm } from "./realm.ts";
import type { Call } from "./types.ts";

/** Waits until every issuer's tokens can be decided. */
export async function ready(
  ladder: Ladder,
  call: { timeoutMs?: number; issuer?: string } & Call,
  closing: AbortSignal,
): Promise<void> {
  onlyKnown("ready", call, ["timeoutMs", "issuer", "signal"]);
  const timeoutMs = wholeNumber("timeoutMs", call.timeoutMs, { default: 5_000, min: 1 });
  const { clock, name, realms, degraded } = ladder;
  const throwIfClosed = () => {
    if (ladder.closed) throw new HoldfastError("closed", `guard ${name} was closed`);
  };
  throwIfClosed();
  // Who may do without the authority need not wait for it to come back.
  const wait = { attempt: degraded.mode === "local" };
  const wanted = call.issuer === undefined ? realms.all : [realms.named(call.issuer)];
  const lacking = new Set(wanted);
  const realmReady = async (realm: Realm, signal: AbortSignal) => {
    const { keyring, revocations, authority } = realm;
    await Promise.all([keyring.ready(signal), revocations?.ready(), authority?.ready(signal, wait)]);
    lacking.delete(realm);
  };
  try {
    await withDeadline(
      clock,
      name,
      timeoutMs,
      async (signal) => {
        await Promise.all(wanted.map(async (realm) => await realmReady(realm, signal)));
        await ladder.tier?.warmed;
      },
      call.signal === undefined ? closing : AbortSignal.any([closing, call.signal]),
    );
  } catch (error) {
    call.signal?.throwIfAborted();
    throwIfClosed();
    // It only begins cold.
    if (lacking.size === 0) return;
    const missing = [...lacking].map((realm) => missingOf(realm, realms.all.length > 1)).join("; ");
    const message = `guard ${name} still lacks ${missing} after ${timeoutMs} ms`;
    throw new HoldfastError("not_ready", message, { cause: error });
  }
}

function missingOf({ keyring, revocations, authority, source }: Realm, named: boolean): string {
  const of = named ? ` of ${source.issuer}` : "";
  const keys = keyring.status();
  const view = revocations?.status();
  const why = (error: string | null | undefined) => error ?? "no answer yet";
  if (!keys.usable) return `a key set${of}: ${why(keys.lastError)}`;
  if (view !== undefined && view.ageMs === Infinity) {
    return `a complete view of revocations${of}: ${why(view.lastError)}`;
  }
  return `an answer of the authority${of}: ${why(authority?.status().lastError)}`;
}
