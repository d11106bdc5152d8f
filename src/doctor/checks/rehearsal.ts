import { sleep, systemClock } from "../../core/clock.ts";
import type { DegradedMode } from "../../core/rules.ts";
import type { Verdict } from "../../core/verdict.ts";
import { createGuard } from "../../guard/create-guard.ts";
import type { Guard } from "../../guard/types.ts";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, type Finding } from "../finding.ts";

/** Remembered answers must be too old during the outage, as they are after minutes of a real one. */
const TTL_MS = 1;
const READY_MS = 2500;
const PAUSE_MS = 20;

/**
 * Lets the providers fail for guards in this process, and shows what a good token gets then. The network of the process
 * is cut for that, so this check runs alone, after the others.
 */
export const rehearsalCheck: Check = {
  name: "rehearsal",
  group: "service",
  asks: "the provider",
  runsAlone: true,
  async run(context, signal) {
    const { rehearse: token } = context.options;
    if (token === undefined)
      return [skip("--rehearse shows what a token of a provider gets while the provider is down")];
    if (context.trusted.length === 0) return [skip("no provider is configured")];
    const [seen, fresh] = [openGuard(context, "seen"), openGuard(context, "fresh")];
    try {
      const before = await seen.validate(token, { signal });
      if (before.status === "unavailable") {
        const detail = `the rehearsal needs a provider that answers, and the token gets 503 (${before.cause})`;
        return [fail(detail, "repair what the lines of the group providers name, and rehearse again")];
      }
      if (before.status === "invalid") {
        const detail = `the token is not good even now: invalid (${before.reason})`;
        return [fail(detail, "give a fresh token; holdfast doctor token explains it")];
      }
      await fresh.ready({ timeoutMs: READY_MS }).catch(() => undefined);
      await sleep(systemClock, PAUSE_MS, signal);
      return await withoutNetwork(async () => {
        const cold = openGuard(context, "cold");
        try {
          const [known, unknown, restarted] = await Promise.all(
            [seen, fresh, cold].map(async (one) => await one.validate(token, { signal })),
          );
          return judge(context, { known, unknown, restarted });
        } finally {
          await cold.close();
        }
      });
    } finally {
      await Promise.all([seen.close(), fresh.close()]);
    }
  },
};

/** Each guard has another name, because Holdfast warns of guards with the same name. */
function openGuard({ trusted, settings, guardOptions }: DoctorContext, name: string): Guard {
  return createGuard({
    issuers: trusted,
    degraded: settings.degraded ?? "deny",
    ...guardOptions,
    memory: { ...guardOptions.memory, ttlMs: TTL_MS },
    name: `doctor ${name}`,
    warnings: false,
  });
}

/** Every request fails at once, as after a cable was cut. */
async function withoutNetwork<T>(work: () => Promise<T>): Promise<T> {
  const { fetch } = globalThis;
  globalThis.fetch = async () => {
    await Promise.resolve();
    throw new TypeError("fetch failed", {
      cause: Object.assign(new Error("the rehearsal"), { code: "ECONNREFUSED" }),
    });
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = fetch;
  }
}

interface Rehearsed {
  /** The verdict of a guard that has seen the token, of one that has the keys only, and of one that has just started. */
  readonly known: Verdict | undefined;
  readonly unknown: Verdict | undefined;
  readonly restarted: Verdict | undefined;
}

/** Compares the verdicts with what the mode promises. */
function judge({ settings, guardOptions, providers }: DoctorContext, verdicts: Rehearsed): Finding[] {
  const given = guardOptions.degraded ?? settings.degraded ?? "deny";
  const mode = typeof given === "string" ? given : given.mode;
  const hasAuthority = providers.some(
    ({ settings: { authority } }) => authority !== undefined && authority.ask !== "opaque",
  );
  const told = `mode ${mode}: while the provider is down, a token that was seen gets ${describe(verdicts.known)}, a new one ${describe(verdicts.unknown)}, and any token after a restart without snapshots ${describe(verdicts.restarted)}`;
  const wrong = [
    verdicts.known?.status === (passesKnown(mode, hasAuthority) ? "valid" : "unavailable"),
    verdicts.unknown?.status === (passesNew(mode, hasAuthority) ? "valid" : "unavailable"),
    verdicts.restarted?.status === "unavailable",
  ].includes(false);
  if (wrong) return [fail(`${told}; that is not what the mode promises`, "report it as a defect")];
  return [ok(told)];
}

function passesKnown(mode: DegradedMode, hasAuthority: boolean): boolean {
  return !hasAuthority || mode !== "deny";
}

function passesNew(mode: DegradedMode, hasAuthority: boolean): boolean {
  return !hasAuthority || mode === "local";
}

function describe(verdict: Verdict | undefined): string {
  if (verdict?.status === "valid") return verdict.degraded === null ? "200" : "200, marked as degraded";
  if (verdict?.status === "invalid") return `401 (${verdict.reason})`;
  return `503 (${verdict?.cause ?? "no verdict"})`;
}
