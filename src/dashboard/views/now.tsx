import type { JSX } from "preact";
import { rate } from "../data/format.ts";
import { clockTime, duration } from "../data/format-time.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { causeWords, componentName, toneOfComponent, toneWords } from "../parts/effect.ts";
import { StepsDrawing } from "../parts/steps-drawing.tsx";
import { StateWord, toneOf } from "../parts/tone.tsx";
import { UpstreamCard } from "../parts/upstream-card.tsx";
import type { Headline, Upstream } from "../wire-state.ts";

const outcomeNames: Readonly<Record<string, string>> = {
  login: "Logins",
  refresh: "Refreshes",
  ownTokens: "Tokens of the service",
  providerTokens: "Tokens of the provider",
};

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
          {Object.entries(outcomes).map(([name, { status, because, words }]) => (
            <li key={name}>
              <h3>{outcomeNames[name] ?? name}</h3>
              <StateWord tone={toneOf(status)}>{words}</StateWord>
              <OutcomeRate name={name} />
              {because.length > 0 && <p class="dim small">cause: {causeWords(because)}</p>}
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

/** The columns of the answers whose rates the service counts, and the words for those that are not usual. */
const answerFields: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  login: { ok: "", refused: "refused", limited: "limited with 429", unavailable: "with 503" },
  refresh: {
    rotated: "",
    repeated: "",
    conflict: "",
    reuse: "",
    refused: "refused",
    unavailable: "with 503",
  },
};
const columnGroups: Readonly<Record<string, string>> = { login: "logins", refresh: "refreshes" };

/** How many of these requests come, and how many of them get something else than what they ask for. */
function OutcomeRate({ name }: { name: string }): JSX.Element | null {
  const { seconds } = useDashboard().received;
  const fields = answerFields[name];
  if (fields === undefined) return null;
  const rates = Object.entries(fields).map(([field, words]) => ({
    words,
    perS: seconds.mean(`${columnGroups[name]}.${field}PerS`, 10) ?? 0,
  }));
  const total = rates.reduce((sum, { perS }) => sum + perS, 0);
  const unusual = rates.filter(({ words, perS }) => words !== "" && perS > 0);
  return (
    <p class="small">
      {[rate(total), ...unusual.map(({ words, perS }) => `${rate(perS)} of them ${words}`)].join(", ")}
    </p>
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
  const { state } = received.frame;
  const ailing = Object.entries(state.components)
    .filter(([, { status }]) => status !== "ok")
    .map(([name, component]) => ({ name, component, tone: toneOfComponent(name, state) }));
  const measured = Object.entries(state.outcomes).filter(([, { because }]) => because.includes("answers"));
  if (ailing.length + measured.length === 0) return null;
  return (
    <section class="section" aria-labelledby="parts">
      <h2 id="parts">Parts with a problem</h2>
      <ul class="cards fit">
        {ailing.map(({ name, tone, component: { reason, detail, effect, since } }) => (
          <li key={name} class="card">
            <div class="card-head">
              <h3>{componentName(name)}</h3>
              <StateWord tone={tone}>{toneWords[tone]}</StateWord>
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
            {!isInHeadline(detail, state.headline) && <p class="dim small mono">{detail}</p>}
          </li>
        ))}
        {measured.map(([name, { status }]) => (
          <li key={name} class="card">
            <div class="card-head">
              <h3>{outcomeNames[name] ?? name}</h3>
              <StateWord tone={toneOf(status)}>{toneWords[toneOf(status)]}</StateWord>
            </div>
            <p>Many of the latest answers are 429 or 5xx.</p>
            <OutcomeRate name={name} />
            <p class="small">
              <a href="#/refreshes">Charts of logins and refreshes</a>
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The headline quotes an error without the name of its server, and the page says it once. */
function isInHeadline(detail: string, { text, advice }: Headline): boolean {
  const error = detail.slice(detail.indexOf(": ") + 1).trim();
  return text.includes(error) || advice?.includes(error) === true;
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
