import type { JSX } from "preact";
import type { Upstream } from "../wire-state.ts";
import { AgeBar } from "./age-bar.tsx";
import { StateWord, toneOf } from "./tone.tsx";

const kinds: Readonly<Record<Upstream["kind"], string>> = {
  keys: "Keys",
  authority: "Authority",
  revocations: "Revocations",
  store: "Store",
  shared: "Shared answers",
};

/** A server or file that the service depends on: its breaker, and how old its last good answer is. */
export function UpstreamCard({ upstream }: { upstream: Upstream }): JSX.Element {
  const { kind, name, state, words, breaker, age, lastError } = upstream;
  return (
    <>
      <div class="card-head">
        <h3>{kinds[kind]}</h3>
        <StateWord tone={toneOf(state)}>{words}</StateWord>
      </div>
      <p class="dim small mono">{name}</p>
      {breaker !== null && (
        <p class="small">
          <span class="dim">breaker</span> {breaker}
        </p>
      )}
      {age !== null && <AgeBar age={age} tone={toneOf(state)} />}
      {lastError !== null && (
        <p class="small error">
          <span class="dim">last error</span> {lastError}
        </p>
      )}
    </>
  );
}
