import type { JSX } from "preact";
import { clockTime, duration } from "../data/format.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { StepsDrawing } from "../parts/steps-drawing.tsx";
import { StateWord, toneOf } from "../parts/tone.tsx";
import { UpstreamCard } from "../parts/upstream-card.tsx";
import type { Upstream } from "../wire-state.ts";

const outcomeNames: Readonly<Record<string, string>> = {
  login: "Logins",
  refresh: "Refreshes",
  ownTokens: "Tokens of the service",
  providerTokens: "Tokens of the provider",
};

const outcomeWords = {
  ok: "answered",
  degraded: "partly answered",
  unavailable: "answered with 503",
} as const;

/** Shows the failing part, and its effect on users. */
export function Now(): JSX.Element {
  const { received } = useDashboard();
  const { outcomes, upstreams } = received.frame.state;
  return (
    <>
      <section aria-labelledby="users-get">
        <h2 id="users-get" class="hidden">
          What users get
        </h2>
        <ul class="card outcomes">
          {Object.entries(outcomes).map(([name, { status, because }]) => (
            <li key={name}>
              <h3>{outcomeNames[name] ?? name}</h3>
              <StateWord tone={toneOf(status)}>{outcomeWords[status]}</StateWord>
              {because.length > 0 && <p class="dim small">because of: {because.join(", ")}</p>}
            </li>
          ))}
        </ul>
      </section>
      <Components />
      <section class="section" aria-labelledby="steps">
        <h2 id="steps">Steps of a validation</h2>
        <StepsDrawing />
      </section>
      <section class="section" aria-labelledby="upstreams">
        <h2 id="upstreams">Upstreams</h2>
        <ul class="cards">
          {upstreams.toSorted(byUrgency).map((upstream) => (
            <li key={upstream.id} class="card upstream">
              <UpstreamCard upstream={upstream} />
            </li>
          ))}
        </ul>
      </section>
      <OtherInstances />
    </>
  );
}

const urgency = ["failing", "degraded", "ok"];

/** Upstreams with a problem come first. */
function byUrgency(one: Upstream, other: Upstream): number {
  return urgency.indexOf(one.state) - urgency.indexOf(other.state);
}

/** The parts of the service that are not well, each with its effect on users. */
function Components(): JSX.Element | null {
  const { received, now } = useDashboard();
  const ailing = Object.entries(received.frame.state.components).filter(([, { status }]) => status !== "ok");
  if (ailing.length === 0) return null;
  return (
    <section class="section" aria-labelledby="parts">
      <h2 id="parts">Parts with a problem</h2>
      <ul class="cards fit">
        {ailing.map(([name, { status, reason, detail, effect, since }]) => (
          <li key={name} class="card">
            <div class="card-head">
              <h3>{name}</h3>
              <StateWord tone={toneOf(status)}>{status}</StateWord>
            </div>
            <p>{effect ?? "Users notice nothing yet."}</p>
            <p class="dim small">
              Since {clockTime(since)}, for {duration(now - since)}
              {reason !== null && (
                <>
                  , <code>{reason}</code>
                </>
              )}
            </p>
            <p class="dim small mono">{detail}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function OtherInstances(): JSX.Element | null {
  const { received, now } = useDashboard();
  const { others } = received.frame.state;
  if (others === null || others.length === 0) return null;
  return (
    <section class="section" aria-labelledby="others">
      <h2 id="others">Other processes on this store</h2>
      <ul class="cards">
        {others.map(({ host, version, admin, seenAt }) => (
          <li key={admin} class="card">
            <h3>{isHttp(admin) ? <a href={admin}>{host}</a> : host}</h3>
            <p class="dim small">
              {version}, seen {duration(now - seenAt)} ago, <code>{admin}</code>
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Another process writes the address to the store, so it may be anything. */
function isHttp(address: string): boolean {
  return /^https?:\/\//.test(address);
}
