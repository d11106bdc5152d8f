import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { dateTime } from "../data/format-time.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { StateWord, type Tone } from "../parts/tone.tsx";
import { ViewHead } from "../parts/view-head.tsx";
import type { ExplainCheck, Explanation } from "../wire-api.ts";

const tones: Readonly<Record<Explanation["status"] | ExplainCheck["outcome"], Tone>> = {
  valid: "ok",
  invalid: "failing",
  unavailable: "degraded",
  unknown: "idle",
  pass: "ok",
  fail: "failing",
};

/** Explains what the guard would say to a token and why. The service keeps nothing of the token. */
export function Token(): JSX.Element {
  const { received } = useDashboard();
  return (
    <>
      <ViewHead title="Token" />
      {received.instance.canExplain ? (
        <Explainer />
      ) : (
        <p class="empty">
          Tokens are explained on the machine of the service only. There, <code>holdfast token inspect</code>{" "}
          reads one from standard input.
        </p>
      )}
    </>
  );
}

function Explainer(): JSX.Element {
  const { api } = useDashboard();
  const [token, setToken] = useState("");
  const [answer, setAnswer] = useState<Explanation | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const explain = async () => {
    try {
      setAnswer(await api.post<Explanation>("/api/explain", { token: token.trim() }));
      setProblem(null);
    } catch (error) {
      setAnswer(null);
      setProblem(error instanceof Error ? error.message : "The service refused.");
    }
  };
  return (
    <>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void explain();
        }}
      >
        <label>
          Access token
          <textarea
            rows={5}
            required
            autocomplete="off"
            spellcheck={false}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <div class="toolbar tight">
          <button type="submit" class="primary">
            Explain
          </button>
          <button
            type="button"
            onClick={() => {
              setToken("");
              setAnswer(null);
              setProblem(null);
            }}
          >
            Clear
          </button>
          <span class="dim small">
            The token is sent to this service only. It is neither logged nor kept, and no key is fetched.
          </span>
        </div>
      </form>
      {problem !== null && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      {answer !== null && <Answer answer={answer} />}
    </>
  );
}

function Answer({ answer }: { answer: Explanation }): JSX.Element {
  const { status, text, reason, header, claims, checks, times } = answer;
  const tone = tones[status];
  return (
    <div class="stack section">
      <div class={`headline compact tone-${tone}`} role="status">
        <StateWord tone={tone}>{status}</StateWord>
        <p class="text">{text}</p>
        {reason !== null && (
          <p class="since">
            <code>{reason}</code>
          </p>
        )}
      </div>
      <section class="card" aria-labelledby="checks">
        <h2 id="checks">Checks</h2>
        <ol class="checks">
          {checks.map(({ name, outcome, words }) => (
            <li key={name}>
              <StateWord tone={tones[outcome]}>{outcome}</StateWord> <strong>{name}</strong>{" "}
              <span class="dim">{words}</span>
            </li>
          ))}
        </ol>
      </section>
      {times.length > 0 && (
        <section class="card" aria-labelledby="times">
          <h2 id="times">Times</h2>
          <dl class="facts">
            {times.map(({ claim, at, words }) => (
              <>
                <dt>
                  <code>{claim}</code>
                </dt>
                <dd>
                  {words} <span class="dim">({dateTime(at)})</span>
                </dd>
              </>
            ))}
          </dl>
        </section>
      )}
      <div class="cards wide">
        {header !== null && <Json title="Header" value={header} />}
        {claims !== null && <Json title="Claims" value={claims} />}
      </div>
    </div>
  );
}

function Json({ title, value }: { title: string; value: Readonly<Record<string, unknown>> }): JSX.Element {
  return (
    <section class="card" aria-label={title}>
      <h2>{title}</h2>
      <pre class="json" tabIndex={0}>
        {JSON.stringify(value, null, 2)}
      </pre>
    </section>
  );
}
