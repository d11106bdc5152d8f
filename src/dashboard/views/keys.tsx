import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { whole } from "../data/format.ts";
import { dateTime, duration, relative } from "../data/format-time.ts";
import { units } from "../data/units.ts";
import { ActionButton } from "../parts/action-button.tsx";
import { AgeBar } from "../parts/age-bar.tsx";
import { Chart } from "../parts/chart.tsx";
import { useDashboard } from "../parts/dashboard-context.ts";
import { LastError } from "../parts/last-error.tsx";
import { RangePicker, useColumns } from "../parts/range.tsx";
import { StateWord, toneOf } from "../parts/tone.tsx";
import { ViewHead } from "../parts/view-head.tsx";
import { ScrollBox } from "../parts/scroll-box.tsx";
import type { IssuerState } from "../wire-state.ts";

/** Shows how old keys and revocations are against their limits, and lets an administrator act on them. */
export function Keys(): JSX.Element {
  const { received } = useDashboard();
  const { times, values } = useColumns();
  const { issuers } = received.frame.state;
  const ages = (field: string) =>
    received.issuers.map((issuer, index) => ({
      label: issuer,
      color: (index % 6) + 1,
      values: values(`issuer.${index}.${field}`),
    }));
  const revocationAges = ages("revocationAgeS").filter(({ values: known }) =>
    known.some((age) => age !== null),
  );
  return (
    <>
      <ViewHead title="Keys and revocations">
        <RangePicker />
      </ViewHead>
      <SigningKeys />
      {issuers.map((issuer) => (
        <IssuerSection key={issuer.issuer} issuer={issuer} />
      ))}
      <div class="cards wide section">
        <Chart title="Age of the key sets" times={times} unit={units.age} series={ages("keysAgeS")} />
        {revocationAges.length > 0 && (
          <Chart
            title="Age of the views of revocations"
            times={times}
            unit={units.age}
            series={revocationAges}
          />
        )}
      </div>
    </>
  );
}

const keyStates = { signing: "signs", next: "published, signs next", retired: "retired" } as const;

function SigningKeys(): JSX.Element | null {
  const { received, now } = useDashboard();
  const { signingKeys } = received.frame.state;
  if (signingKeys.length === 0) return null;
  return (
    <section aria-labelledby="signing-keys">
      <div class="section-head spaced">
        <h2 id="signing-keys">Signing keys of this service</h2>
        <ActionButton label="Rotate keys" action={{ action: "rotate-keys" }} />
      </div>
      <ScrollBox label="Signing keys of this service">
        <table>
          <thead>
            <tr>
              <th scope="col">key id</th>
              <th scope="col">algorithm</th>
              <th scope="col">state</th>
              <th scope="col">made</th>
              <th scope="col">
                <span class="hidden">action</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {signingKeys.map(({ kid, algorithm, state, createdAt, retiredAt }) => (
              <tr key={kid}>
                <th scope="row" class="mono">
                  {kid}
                </th>
                <td>{algorithm}</td>
                <td>
                  <StateWord tone={state === "signing" ? "ok" : "idle"}>{keyStates[state]}</StateWord>
                  {retiredAt !== null && <span class="dim small"> {relative(retiredAt, now)}</span>}
                </td>
                <td class="nowrap">{dateTime(createdAt)}</td>
                <td class="number">
                  <ActionButton
                    label="Revoke"
                    about={`key ${kid}`}
                    action={{ action: "revoke-key", kid }}
                    isFinal
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
    </section>
  );
}

function IssuerSection({ issuer }: { issuer: IssuerState }): JSX.Element {
  const { keys, authority, revocations, degraded, state } = issuer;
  return (
    <section class="section" aria-label={issuer.issuer}>
      <div class="section-head">
        <h2 class="mono">{issuer.issuer}</h2>
        <StateWord tone={toneOf(state)}>{state}</StateWord>
      </div>
      <div class="cards">
        <div class="card">
          <div class="card-head">
            <h3>Keys that verify</h3>
            <ActionButton
              label="Refresh now"
              about={`keys of ${issuer.issuer}`}
              action={{ action: "refresh-keys", issuer: issuer.issuer }}
            />
          </div>
          {keys.ageMs !== null && (
            <AgeBar
              age={{
                ageMs: keys.ageMs,
                limitMs: keys.limitMs,
                words: "At the limit, the set is no longer used",
              }}
              tone={keys.usable ? toneOf(keys.lastError === null ? "ok" : "degraded") : "failing"}
              kind="keys"
            />
          )}
          {!keys.usable && <p class="error">No key can be used.</p>}
          <ul class="kids">
            {keys.kids.map((kid) => (
              <li key={kid} class="mono">
                {kid}
              </li>
            ))}
            {keys.vanished.map((kid) => (
              <li key={kid}>
                <code>{kid}</code> <StateWord tone="degraded">left the set</StateWord>
              </li>
            ))}
          </ul>
          <LastError text={keys.lastError} />
        </div>
        {revocations !== null && <RevocationsCard revocations={revocations} />}
        {authority !== null && (
          <AuthorityCard issuer={issuer.issuer} authority={authority} degraded={degraded} />
        )}
      </div>
    </section>
  );
}

function RevocationsCard({
  revocations,
}: {
  revocations: NonNullable<IssuerState["revocations"]>;
}): JSX.Element {
  const { now } = useDashboard();
  const { complete, ageMs, limitMs, entries, gaps, lastGapAt, lastError } = revocations;
  return (
    <div class="card">
      <div class="card-head">
        <h3>View of revocations</h3>
        <StateWord tone={complete ? "ok" : "failing"}>{complete ? "complete" : "incomplete"}</StateWord>
      </div>
      {ageMs === null ? (
        <p>It was never complete.</p>
      ) : (
        <AgeBar
          age={{ ageMs, limitMs, words: "At the limit, tokens are refused with 503" }}
          tone={complete ? "ok" : "failing"}
          kind="revocations"
        />
      )}
      <dl class="facts">
        <dt>revocations in force</dt>
        <dd>{whole(entries)}</dd>
        <dt>gaps</dt>
        <dd>
          {whole(gaps)}
          {lastGapAt !== null && `, the last ${relative(lastGapAt, now)}`}
        </dd>
      </dl>
      <LastError text={lastError} />
    </div>
  );
}

const times = [
  { label: "1 min", forMs: 60_000 },
  { label: "10 min", forMs: 600_000 },
  { label: "1 h", forMs: 3_600_000 },
] as const;

function AuthorityCard({
  issuer,
  authority: { kind, breaker, failingMs, softTimeoutMs, inFlight, lastError },
  degraded,
}: {
  issuer: string;
  authority: NonNullable<IssuerState["authority"]>;
  degraded: IssuerState["degraded"];
}): JSX.Element {
  const [forMs, setForMs] = useState<number>(times[1].forMs);
  const isForced = breaker.startsWith("forced");
  return (
    <div class="card">
      <div class="card-head">
        <h3>Authority</h3>
        <StateWord tone={breaker === "closed" ? "ok" : breaker === "open" ? "failing" : "degraded"}>
          breaker {breaker}
        </StateWord>
      </div>
      <dl class="facts">
        <dt>kind</dt>
        <dd>{kind}</dd>
        <dt>answers</dt>
        <dd>{failingMs === null ? "yes" : `not for ${duration(failingMs)}`}</dd>
        <dt>waits at most</dt>
        <dd>{duration(softTimeoutMs)} where there is a fallback</dd>
        <dt>in flight</dt>
        <dd>{whole(inFlight)}</dd>
        <dt>degraded mode</dt>
        <dd>
          {degraded.mode}
          {degraded.limitMs !== null && `, at most ${duration(degraded.limitMs)}`},{" "}
          {whole(degraded.decisions)} {degraded.decisions === 1 ? "decision" : "decisions"}
        </dd>
      </dl>
      <LastError text={lastError} />
      <div class="toolbar tight">
        <label>
          Set the breaker for
          <select value={forMs} onChange={(event) => setForMs(Number(event.currentTarget.value))}>
            {times.map(({ label, forMs: each }) => (
              <option key={label} value={each}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <ActionButton
          label="Open"
          about={`breaker of ${issuer}`}
          action={{ action: "breaker", issuer, state: "open", forMs }}
        />
        <ActionButton
          label="Close"
          about={`breaker of ${issuer}`}
          action={{ action: "breaker", issuer, state: "closed", forMs }}
        />
        {isForced && (
          <ActionButton
            label="Automatic"
            about={`breaker of ${issuer}`}
            action={{ action: "breaker", issuer, state: "auto" }}
          />
        )}
      </div>
    </div>
  );
}
