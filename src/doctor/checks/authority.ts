import { randomBytes } from "node:crypto";
import { systemClock } from "../../core/clock.ts";
import type { AuthorityOutcome } from "../../guard/authority/authority.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import type { ProviderProbe } from "../provider-probe.ts";

/** The guard gives up after two seconds by default, so an authority at half of it is near the limit. */
const SLOW_MS = 1000;
const QUESTIONS = 3;

export const authorityCheck: Check = {
  name: "authority",
  group: "providers",
  asks: "a provider's authority",
  async run({ providers }) {
    const findings = await Promise.all(providers.map(checkAuthority));
    const given = findings.flatMap((finding) => finding ?? []);
    return given.length > 0 ? given : [skip("no authority is configured: the signature is enough")];
  },
};

/** Asks about tokens that cannot exist, as the probe of a guard does. `null` without an authority. */
async function checkAuthority({ issuer, settings }: ProviderProbe): Promise<Finding | null> {
  if (settings.authority === undefined) return null;
  const authority = settings.authority.open({
    guard: `doctor ${issuer}`,
    issuer,
    clock: systemClock,
    random: Math.random,
  });
  try {
    const times: number[] = [];
    for (let i = 0; i < QUESTIONS; i++) {
      const begin = systemClock.monotonic();
      const outcome = await authority.ask(`holdfast-doctor-${randomBytes(15).toString("hex")}`);
      times.push(systemClock.monotonic() - begin);
      if (outcome.status !== "no") return describeFailure(issuer, outcome, authority.status().lastError);
    }
    const slowestMs = Math.round(Math.max(...times));
    const answered = `the authority of ${issuer} answers in ${slowestMs} ms`;
    if (Math.min(...times) < SLOW_MS) return ok(`${answered}, and knows no invented token`);
    return warn(answered, "the guard waits two seconds at most: shorten the way to it, or raise timeoutMs");
  } finally {
    authority.close();
  }
}

function describeFailure(issuer: string, outcome: AuthorityOutcome, lastError: string | null): Finding {
  const who = `the authority of ${issuer}`;
  if (outcome.status === "yes") {
    return fail(`${who} calls an invented token active`, "do not use it: it accepts anything");
  }
  const why = lastError ?? "no answer";
  if (outcome.status === "unavailable" && outcome.cause === "authority_misconfigured") {
    return fail(
      `${who} refuses the requests of this service: ${why}`,
      "correct the client id and the secret of the authority",
    );
  }
  return fail(
    `${who} does not answer: ${why}`,
    "tell its owner; until then the mode of ALLOW_DEGRADED_AUTH decides",
  );
}
