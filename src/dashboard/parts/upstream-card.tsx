import type { JSX } from "preact";
import type { Breaker, Upstream } from "../wire-state.ts";
import { AgeBar } from "./age-bar.tsx";
import { useDashboard } from "./dashboard-context.ts";
import { LastError } from "./last-error.tsx";
import { StateWord, toneOf } from "./tone.tsx";

const kinds: Readonly<Record<Upstream["kind"], string>> = {
  keys: "Keys",
  authority: "Authority",
  revocations: "Revocation view",
  store: "Store",
  shared: "Shared answers",
};

const breakerWords: Readonly<Partial<Record<Breaker, string>>> = {
  "half-open": "half-open: one test request at a time",
  open: "open: no request is sent",
};

/** A server or file that the service depends on: its breaker, and how old its last good answer is. */
export function UpstreamCard({ upstream }: { upstream: Upstream }): JSX.Element {
  const { kind, name, state, words, breaker, age, lastError } = upstream;
  const { instance, frame } = useDashboard().received;
  const isSaidAbove = Object.values(frame.state.components).some(
    ({ status, detail }) => status !== "ok" && lastError !== null && detail.includes(lastError),
  );
  const ofWhom =
    kind !== "keys" && kind !== "revocations"
      ? ""
      : name === instance.url
        ? " of the service"
        : " of the provider";
  return (
    <>
      <div class="card-head">
        <h3>
          {kinds[kind]}
          {ofWhom}
        </h3>
        <StateWord tone={toneOf(state)}>{words}</StateWord>
      </div>
      <p class="dim small mono">{name}</p>
      {breaker !== null && (
        <p class="small">
          <span class="dim">breaker</span> {breakerWords[breaker] ?? breaker}
        </p>
      )}
      {age !== null && <AgeBar age={age} tone={toneOf(state)} kind={kind} />}
      <LastError text={isSaidAbove ? null : lastError} />
    </>
  );
}
