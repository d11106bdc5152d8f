import { forDuration, type HeadlineFacts, type Problem } from "./problems.ts";

/** The gateway refuses the proxy that asks it. `null` while it does not, and without a policy. */
export function gatewayProblem({ health, now }: HeadlineFacts): Problem | null {
  const { gateway } = health.components;
  if (gateway === undefined || gateway.status === "ok") return null;
  const { since, outcomes, detail } = gateway;
  return {
    part: "gateway",
    since,
    outcomes,
    text: `The gateway has refused its proxy${forDuration(now - since)}`,
    effect: "every request through this proxy answers 403",
    advice: `Add the proxy to HOLDFAST_TRUSTED_PROXIES and restart the service: ${detail}.`,
    runbook: "ProxyNotTrusted",
  };
}
