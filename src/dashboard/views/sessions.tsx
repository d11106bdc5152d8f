import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { whole } from "../data/format.ts";
import { dateTime, relative } from "../data/format-time.ts";
import { ActionButton, type UserName } from "../parts/action-button.tsx";
import { useDashboard } from "../parts/dashboard-context.ts";
import { TextField } from "../parts/text-field.tsx";
import { UnreadableSessions } from "../parts/unreadable-sessions.tsx";
import { useAnswer } from "../parts/use-answer.ts";
import { ViewHead } from "../parts/view-head.tsx";
import { ScrollBox } from "../parts/scroll-box.tsx";
import type { SessionRow, SessionsAnswer, SessionsQuery, UsersAnswer } from "../wire-api.ts";

type By = "username" | "subject" | "session";

const ways: readonly { by: By; label: string }[] = [
  { by: "username", label: "User name" },
  { by: "subject", label: "Subject" },
  { by: "session", label: "Session" },
];

/** Finds the sessions of a user, and ends one or all. */
export function Sessions(): JSX.Element {
  const { subject, askToSignIn } = useDashboard();
  const [by, setBy] = useState<By>("username");
  const [text, setText] = useState("");
  const [search, setSearch] = useState<{ readonly query: SessionsQuery; readonly count: number } | null>(
    null,
  );
  // The same search again asks the service again.
  const find = (query: SessionsQuery) => setSearch((before) => ({ query, count: (before?.count ?? 0) + 1 }));
  if (subject === null) {
    return (
      <>
        <ViewHead title="Sessions" />
        <div class="empty">
          <p>Sessions and users are for administrators.</p>
          <button type="button" class="primary" onClick={askToSignIn}>
            Sign in
          </button>
        </div>
      </>
    );
  }
  return (
    <>
      <ViewHead title="Sessions" />
      <form
        class="toolbar"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          find({ [by]: text.trim() });
        }}
      >
        <label>
          Search by
          <select value={by} onChange={(event) => setBy(event.currentTarget.value as By)}>
            {ways.map(({ by: value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <TextField label={ways.find((way) => way.by === by)?.label ?? ""} value={text} onValue={setText} />
        <button type="submit" class="primary">
          Search
        </button>
      </form>
      {search !== null && <Found key={search.count} query={search.query} />}
      <Users
        onChosen={(username) => {
          setBy("username");
          setText(username);
          find({ username });
        }}
      />
    </>
  );
}

function Found({ query }: { query: SessionsQuery }): JSX.Element {
  const { api } = useDashboard();
  const [after, setAfter] = useState<string | null>(null);
  const key = JSON.stringify([query, after]);
  const { value, problem, isBusy, reload } = useAnswer(
    key,
    async () =>
      await api.get<SessionsAnswer>("/api/sessions", { ...query, ...(after !== null && { after }) }),
  );
  // The list of sessions that have all ended is hidden until the next answer. The button keeps its dialog.
  const [ended, setEnded] = useState<SessionsAnswer | null>(null);
  const listed = value === ended ? null : value;
  const owner = query.session === undefined && hasSessions(value) ? value.subject : null;
  const user =
    owner === null || query.username === undefined ? undefined : { subject: owner, name: query.username };
  return (
    <section class="section" aria-labelledby="found" aria-busy={isBusy}>
      <div class="section-head spaced">
        <h2 id="found">Live sessions{listed !== null && ` (${countOf(listed, after)})`}</h2>
        {owner !== null && (
          <ActionButton
            label="End all"
            about={`sessions of ${query.username ?? owner}`}
            action={{ action: "end-subject", subject: owner }}
            user={user}
            isFinal
            onActed={() => setEnded(value)}
            onDone={reload}
          />
        )}
      </div>
      {problem !== null && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      {listed !== null && listed.unreadable.length > 0 && (
        <UnreadableSessions ids={listed.unreadable} user={user} onEnded={reload} />
      )}
      {listed?.sessions.length === 0 && (
        <p class="empty">There is no {listed.unreadable.length > 0 && "other "}live session.</p>
      )}
      {listed !== null && listed.sessions.length > 0 && (
        <SessionTable sessions={listed.sessions} user={user} onEnded={reload} />
      )}
      <PageButtons after={after} next={value?.next ?? null} onChosen={setAfter} />
    </section>
  );
}

function hasSessions(answer: SessionsAnswer | null): answer is SessionsAnswer {
  return answer !== null && answer.sessions.length + answer.unreadable.length > 0;
}

/** The service tells one page, so only a user whose sessions fit on it has a known total. Damaged ones count, as they do for End all. */
function countOf({ sessions, unreadable, next }: SessionsAnswer, after: string | null): string {
  return `${sessions.length + unreadable.length}${next === null && after === null ? "" : " on this page"}`;
}

function SessionTable({
  sessions,
  user,
  onEnded,
}: {
  sessions: readonly SessionRow[];
  user: UserName | undefined;
  onEnded: () => void;
}): JSX.Element {
  const { now } = useDashboard();
  return (
    <ScrollBox label="Live sessions">
      <table>
        <thead>
          <tr>
            <th scope="col">device</th>
            <th scope="col">started</th>
            <th scope="col">last used</th>
            <th scope="col" class="number">
              refreshes
            </th>
            <th scope="col" class="number" title="Lost answers to refreshes, one after another">
              lost in a row
            </th>
            <th scope="col">
              <span class="hidden">action</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <tr key={session.id}>
              <th scope="row">
                {session.deviceName ?? session.device ?? "unknown device"}
                <div class="dim small">
                  <code>{session.id}</code>
                </div>
                <div class="dim small">
                  of {session.subject}
                  {session.address !== null && `, from ${session.address}`}
                </div>
                {session.deviceName !== null && session.device !== null && (
                  <div class="dim small clip">{session.device}</div>
                )}
              </th>
              <td class="nowrap">{dateTime(session.startedAt)}</td>
              <td class="nowrap">{relative(session.lastUsedAt, now)}</td>
              <td class="number">{whole(session.refreshes)}</td>
              <td class="number">{whole(session.streak)}</td>
              <td class="number">
                <ActionButton
                  label="End"
                  about={`session ${session.id}`}
                  action={{ action: "end-session", session: session.id }}
                  isFinal
                  user={user}
                  onDone={onEnded}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

function Users({ onChosen }: { onChosen: (username: string) => void }): JSX.Element {
  const { api } = useDashboard();
  const [after, setAfter] = useState<string | null>(null);
  const { value, problem } = useAnswer(
    `users ${after}`,
    async () => await api.get<UsersAnswer>("/api/users", { limit: "25", ...(after !== null && { after }) }),
  );
  return (
    <section class="section" aria-labelledby="users">
      <h2 id="users">Users</h2>
      {problem !== null && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      {value !== null && (
        <ScrollBox label="Users">
          <table>
            <thead>
              <tr>
                <th scope="col">name</th>
                <th scope="col">scopes</th>
                <th scope="col">added</th>
                <th scope="col">state</th>
                <th scope="col">
                  <span class="hidden">action</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {value.users.map(({ username, scopes, createdAt, disabledAt }) => (
                <tr key={username}>
                  <th scope="row">{username}</th>
                  <td class="mono">{scopes.join(" ")}</td>
                  <td class="nowrap">{dateTime(createdAt)}</td>
                  <td>{disabledAt === null ? "may log in" : "locked out"}</td>
                  <td class="number">
                    <button type="button" onClick={() => onChosen(username)}>
                      Sessions<span class="hidden"> of {username}</span>
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      )}
      <PageButtons after={after} next={value?.next ?? null} onChosen={setAfter} />
    </section>
  );
}

interface Pages {
  /** Where the page begins. `null` for the first page. */
  readonly after: string | null;
  /** Where the next page begins. `null` when there is none. */
  readonly next: string | null;
  readonly onChosen: (after: string | null) => void;
}

function PageButtons({ after, next, onChosen }: Pages): JSX.Element {
  return (
    <div class="toolbar tight">
      {after !== null && (
        <button type="button" onClick={() => onChosen(null)}>
          First page
        </button>
      )}
      {next !== null && (
        <button type="button" onClick={() => onChosen(next)}>
          Next page
        </button>
      )}
    </div>
  );
}
