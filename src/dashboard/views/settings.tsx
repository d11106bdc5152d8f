import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { dateTime, duration } from "../data/format-time.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { useAnswer } from "../parts/use-answer.ts";
import { ViewHead } from "../parts/view-head.tsx";
import { ScrollBox } from "../parts/scroll-box.tsx";
import type { SettingsAnswer, SettingView } from "../wire-api.ts";

/** Lists the settings in force, and where each comes from. */
export function Settings(): JSX.Element {
  const { api, received, now } = useDashboard();
  const [isEverything, setEverything] = useState(false);
  const { value, problem } = useAnswer(
    "settings",
    async () => await api.get<SettingsAnswer>("/api/settings"),
  );
  const { version, runtime, host, pid, startedAt, url, audience, roles } = received.instance;
  const facts = [
    ["version", `${version}, ${runtime}`],
    ["process", `${pid} on ${host}`],
    ["started", `${dateTime(startedAt)}, ${duration(now - startedAt)} ago`],
    ["issuer", url],
    ["audience", audience.join(", ")],
    ["roles", roles.join(", ")],
  ] as const;
  const shown = value?.settings.filter(({ source }) => isEverything || isChosen(source)) ?? [];
  return (
    <>
      <ViewHead title="Settings" />
      <section class="card" aria-label="This process">
        <dl class="facts">
          {facts.map(([name, text]) => (
            <>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </>
          ))}
        </dl>
      </section>
      <div class="section-head section spaced">
        <h2>Settings in force</h2>
        <div class="segments" role="group" aria-label="Settings that are shown">
          <button type="button" aria-pressed={!isEverything} onClick={() => setEverything(false)}>
            Chosen
          </button>
          <button type="button" aria-pressed={isEverything} onClick={() => setEverything(true)}>
            All
          </button>
        </div>
      </div>
      {problem !== null && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      {value !== null && shown.length === 0 && <p class="empty">Every setting has its default.</p>}
      {shown.length > 0 && <SettingTable settings={shown} />}
      <p class="dim small section-note">
        A secret is shown by its fingerprint. <a href="/dashboard-licences.txt">Licences</a> of the libraries
        in this page.
      </p>
    </>
  );
}

function isChosen(source: SettingView["source"]): boolean {
  return source === "environment" || source === "file";
}

function SettingTable({ settings }: { settings: readonly SettingView[] }): JSX.Element {
  return (
    <ScrollBox label="Settings in force">
      <table>
        <thead>
          <tr>
            <th scope="col">setting</th>
            <th scope="col">value</th>
            <th scope="col">from</th>
          </tr>
        </thead>
        <tbody>
          {settings.map(({ name, form, value, isSecret, source, otherwise }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
                <div class="dim small">{form}</div>
              </th>
              <td>
                {value === null ? (
                  <span class="dim">{otherwise === null ? "not set" : `not set: ${otherwise}`}</span>
                ) : (
                  <code>{value}</code>
                )}
                {isSecret && value !== null && <div class="dim small">fingerprint</div>}
              </td>
              <td>{source}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
