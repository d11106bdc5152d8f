import { HoldfastError } from "../core/errors.ts";
import { readWholeNumber, rejectUnknownOptions } from "../core/options.ts";
import type { CallOptions } from "../core/rules.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { GuardedIssuers } from "./issuers/guarded-issuers.ts";
import type { GuardedIssuer } from "./issuers/guarded-issuer.ts";
import type { PipelineContext } from "./pipeline/context.ts";

/** Implements `Guard.ready`. `closing` aborts when the guard is closed. */
export async function ready(
  context: PipelineContext,
  call: { timeoutMs?: number; issuer?: string } & CallOptions,
  closing: AbortSignal,
): Promise<void> {
  rejectUnknownOptions("ready", call, ["timeoutMs", "issuer", "signal"]);
  const timeoutMs = readWholeNumber("ready: timeoutMs", call.timeoutMs, { default: 5_000, min: 1 });
  const { clock, name, guardedIssuers, fallback } = context;
  const throwIfClosed = () => {
    if (context.closed) throw new HoldfastError("closed", `guard ${name} was closed`);
  };
  throwIfClosed();
  // In local mode the guard can decide without the authority, so it does not wait for a successful answer.
  const wait = { attempt: fallback.mode === "local" };
  const wanted =
    call.issuer === undefined ? guardedIssuers.configured : [await findNamed(guardedIssuers, call.issuer)];
  const pending = new Set(wanted);
  const issuerReady = async (issuer: GuardedIssuer, signal: AbortSignal) => {
    const { keyring, revocationFollower, authority } = issuer;
    await Promise.all([keyring.ready(signal), revocationFollower?.ready(), authority?.ready(signal, wait)]);
    pending.delete(issuer);
  };
  try {
    await withDeadline(
      clock,
      name,
      timeoutMs,
      async (signal) => {
        await Promise.all(wanted.map(async (issuer) => await issuerReady(issuer, signal)));
        await context.sharedCache?.warmedUp;
      },
      call.signal === undefined ? closing : AbortSignal.any([closing, call.signal]),
    );
  } catch (error) {
    call.signal?.throwIfAborted();
    throwIfClosed();
    // Only the warm-up from the shared cache is unfinished. The guard works without it.
    if (pending.size === 0) return;
    const isOneOfMany = guardedIssuers.configured.length > 1;
    const missing = [...pending].map((issuer) => describeMissing(issuer, isOneOfMany)).join("; ");
    const message = `guard ${name} still lacks ${missing} after ${timeoutMs} ms`;
    throw new HoldfastError("not_ready", message, { cause: error });
  }
}

/** The issuer of this name, which is looked up where the guard finds its issuers. Rejects with `not_ready`. */
async function findNamed(guardedIssuers: GuardedIssuers, name: string): Promise<GuardedIssuer> {
  const found = await guardedIssuers.found?.find(name);
  if (found !== undefined && "status" in found && found.status === "unavailable") {
    throw new HoldfastError("not_ready", `the issuer could not be looked up: ${found.cause}`);
  }
  return found === undefined || "status" in found ? guardedIssuers.getByName(name) : found;
}

function describeMissing(
  { keyring, revocationFollower, authority, source }: GuardedIssuer,
  isOneOfMany: boolean,
): string {
  const of = isOneOfMany ? ` of ${source.issuer}` : "";
  const keys = keyring.status();
  const view = revocationFollower?.status();
  const why = (error: string | null | undefined) => error ?? "no answer yet";
  if (!keys.usable) return `a key set${of}: ${why(keys.lastError)}`;
  if (view !== undefined && view.ageMs === Infinity) {
    return `a complete view of revocations${of}: ${why(view.lastError)}`;
  }
  return `an answer of the authority${of}: ${why(authority?.status().lastError)}`;
}
