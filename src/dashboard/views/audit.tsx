import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { whole, words } from "../data/format.ts";
import { dateTime } from "../data/format-time.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { TextField } from "../parts/text-field.tsx";
import { StateWord } from "../parts/tone.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { ViewHead } from "../parts/view-head.tsx";
import { ScrollBox } from "../parts/scroll-box.tsx";
import type { AuditAnswer } from "../wire-api.ts";

/** Events that an operator should investigate. */
const alarms: ReadonlySet<string> = new Set([
  "refresh_reuse",
  "refresh_shadowed",
  "refresh_forked",
  "store_rolled_back",
  "record_tampered",
]);

/** Lists what the store keeps for auditors. A new event of the stream reads the list again. */
export function Audit(): JSX.Element {
  const { api, received } = useDashboard();
  const [kind, setKind] = useState("");
  const [typed, setTyped] = useState("");
  const [text, setText] = useState("");
  const lastSeq = received.events.findLast(({ source }) => source === "audit")?.seq ?? 0;
  const { value, problem } = useAnswer(
    JSON.stringify([kind, text, lastSeq]),
    async () => await api.get<AuditAnswer>("/api/audit", { kind, text, limit: "200" }),
  );
  return (
    <>
      <ViewHead title="Audit" />
      <form
        class="toolbar"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setText(typed.trim());
        }}
      >
        <label>
          Event
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
            <option value="">all</option>
            {(value?.kinds ?? (kind === "" ? [] : [kind])).map((each) => (
              <option key={each} value={each}>
                {words(each)}
              </option>
            ))}
          </select>
        </label>
        <TextField
          label="Subject, session, source or detail"
          value={typed}
          onValue={setTyped}
          required={false}
        />
        <button type="submit" class="primary">
          Filter
        </button>
      </form>
      {problem !== null && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      {value !== null && <AuditTable answer={value} />}
    </>
  );
}

function AuditTable({ answer }: { answer: AuditAnswer }): JSX.Element {
  const { events, searched, hasMore } = answer;
  return (
    <>
      {events.length === 0 && <p class="empty">No event matches.</p>}
      {events.length > 0 && (
        <ScrollBox label="Audit events">
          <table>
            <thead>
              <tr>
                {["time", "event", "subject", "session", "source", "actor", "detail"].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {events.map(({ at, kind, subject, session, source, actor, detail }, index) => (
                <tr key={`${at} ${index}`}>
                  <th scope="row" class="nowrap">
                    {dateTime(at)}
                  </th>
                  <td class="nowrap">
                    {alarms.has(kind) ? <StateWord tone="failing">{words(kind)}</StateWord> : words(kind)}
                  </td>
                  <td>{subject}</td>
                  <td class="mono">{session}</td>
                  <td class="mono">{source}</td>
                  <td>{actor}</td>
                  <td>{detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      )}
      <p class="dim small section-note">
        {whole(searched)} events were searched, newest first.
        {hasMore && (
          <>
            {" "}
            The store has more: <code>holdfast audit</code> reads them all.
          </>
        )}
      </p>
    </>
  );
}
