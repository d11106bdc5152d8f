import type { GuardStatus, TrustedIssuerStatus } from "../../guard/status-types.ts";
import { authorityDoes, type AuthorityStatus } from "./authority-words.ts";
import { fallbackLeftMs, rememberedLeftMs, type FallbackPolicy } from "./fallback.ts";
import { forDuration, lastErrorWords, type HeadlineFacts, type Problem } from "./problems.ts";
import { worstProvider } from "./component-health.ts";
import { durationWords } from "./words.ts";

/** The problem of the provider that is worst off, with its authority or its keys. */
export function providerProblem({ health, guard, fallback, now }: HeadlineFacts): Problem | null {
  const { provider } = health.components;
  const status = worstProvider(guard);
  if (provider === undefined || provider.status === "ok" || status === null) return null;
  const { since, outcomes } = provider;
  const words =
    status.keys.usable && status.authority?.failingMs != null
      ? authorityWords(status, status.authority, fallback, guard)
      : keysWords(status, now - since);
  return { part: "provider", since, outcomes, ...words };
}

type Words = Pick<Problem, "text" | "effect" | "advice" | "runbook">;

function authorityWords(
  status: TrustedIssuerStatus,
  authority: AuthorityStatus,
  fallback: FallbackPolicy,
  guard: Pick<GuardStatus, "memory">,
): Words {
  const { failingMs, cause, breaker, lastError } = authority;
  const duration = forDuration(failingMs ?? 0);
  const text = `The authority of ${issuerName(status)} ${authorityDoes(authority)}${duration}`;
  const effect = authorityEffect(status, fallback, guard);
  if (breaker === "forced open") {
    return {
      text: `The breaker of ${issuerName(status)} has been open by hand${duration}`,
      effect,
      runbook: "HoldfastBreakerOpen",
      advice: "Give the breaker back with `holdfast breaker auto` when the reason is over.",
    };
  }
  if (cause === "authority_misconfigured") {
    const advice = `Check the URL and the credentials of the authority; waiting does not help.${lastErrorWords(lastError)}`;
    return { text, effect, advice, runbook: "HoldfastAuthorityMisconfigured" };
  }
  const advice = `Tell the operator of the provider, and check the network to it.${lastErrorWords(lastError)}`;
  return {
    text,
    effect,
    advice,
    runbook: fallback.mode === "deny" ? "HoldfastBreakerOpen" : "HoldfastDegraded",
  };
}

function authorityEffect(
  status: TrustedIssuerStatus,
  fallback: FallbackPolicy,
  guard: Pick<GuardStatus, "memory">,
): string {
  const leftMs = fallback.mode === "deny" ? 0 : fallbackLeftMs(status, fallback);
  const rememberedMs = rememberedLeftMs(status, fallback, guard);
  if (leftMs <= 0 && rememberedMs > 0)
    return `its new tokens answer 503, and remembered ones pass for up to ${durationWords(rememberedMs)} more`;
  if (fallback.mode === "deny") return "its tokens answer 503";
  if (leftMs <= 0) return "its tokens answer 503, because the time of degraded mode is over";
  const left = `for ${durationWords(leftMs)} more`;
  return fallback.mode === "local"
    ? `its tokens are accepted without the authority ${left}`
    : `tokens that it knew are accepted without the authority ${left}, and others answer 503`;
}

function keysWords(status: TrustedIssuerStatus, durationMs: number): Words {
  const { authority } = status;
  const { usable, vanished, lastError, ageMs, maxStaleMs } = status.keys;
  const name = `key set of ${issuerName(status)}`;
  if (!usable) {
    const also = authority?.failingMs == null ? "" : `, and its authority ${authorityDoes(authority)}`;
    return {
      text: `The ${name} could not be fetched${forDuration(durationMs)}${also}`,
      effect: "its tokens answer 503",
      advice: fetchAdvice(lastError),
      runbook: "HoldfastKeysUnreachable",
    };
  }
  if (lastError === null && vanished.length > 0) {
    return {
      text: `A key has left the ${name}`,
      effect: "tokens that it verified before are still accepted for a while",
      advice: "Ask the provider why. If the key was stolen, run `holdfast keys distrust`.",
      runbook: "HoldfastKeyVanished",
    };
  }
  const leftMs = ageMs === null || maxStaleMs === null ? null : maxStaleMs - ageMs;
  const left = leftMs === null ? "still accepted" : `accepted for ${durationWords(leftMs)} more`;
  return {
    text: `The ${name} could not be fetched${forDuration(durationMs)}`,
    effect: `${newKeyWords(status)}, tokens under a known key are ${left}`,
    advice: fetchAdvice(lastError),
    runbook: "HoldfastKeysUnreachable",
  };
}

function newKeyWords({ authority }: TrustedIssuerStatus): string {
  return authority === null
    ? "tokens under a new key answer 503"
    : "tokens under a new key pass only if its authority confirms them";
}

const metadataNames: ReadonlySet<string> = new Set(["openid-configuration", "oauth-authorization-server"]);

function fetchAdvice(lastError: string | null): string {
  return otherIssuerAdvice(lastError) ?? `${fetchRemedy(lastError)}${lastErrorWords(lastError)}`;
}

/** The longest issuer that the advice shows. */
const MAX_ISSUER = 200;

/** The two names may differ in one character, such as a final slash, so that neither is shortened in its middle. */
function otherIssuerAdvice(lastError: string | null): string | null {
  const [, named, configured] =
    /names another issuer: "(.+?)", not "(.+?)"(?:;|$)/.exec(lastError ?? "") ?? [];
  if (named === undefined || configured === undefined) return null;
  const [theirs, ours] = [named.slice(0, MAX_ISSUER), configured.slice(0, MAX_ISSUER)];
  return `The configured issuer is "${ours}", and the metadata of the provider names "${theirs}". Correct HOLDFAST_PROVIDER_ISSUER, or the issuer in the file of HOLDFAST_GUARD.`;
}

/** A provider that answers with an error has been reached. An address without a document is a wrong setting. */
function fetchRemedy(lastError: string | null): string {
  const [, what = "", code] = /([\w-]+) answered (\d{3})\b/.exec(lastError ?? "") ?? [];
  if (code === undefined) return "Fetch the key set by hand, and check proxy, DNS and certificates.";
  if (code !== "404" && code !== "410")
    return "Fetch the key set by hand, and ask the operator of the provider.";
  return metadataNames.has(what)
    ? "Correct HOLDFAST_PROVIDER_ISSUER, or name the key set in HOLDFAST_PROVIDER_JWKS_URL."
    : "Correct HOLDFAST_PROVIDER_JWKS_URL, or remove it to discover the keys. Where it is not set, ask the operator of the provider.";
}

/** The issuer without its scheme, as people call it. */
function issuerName({ issuer }: TrustedIssuerStatus): string {
  return issuer.replace(/^https?:\/\//, "");
}
