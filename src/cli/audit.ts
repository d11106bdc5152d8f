import { closest, distance } from "fastest-levenshtein";
import type { AuditEvent, AuditKind } from "../core/events.ts";
import { parseDuration } from "../server/duration.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Service } from "../server/service.ts";
import type { SessionDigest } from "../server/session-digest.ts";
import { UsageError, type Command } from "./command.ts";
import { subjectOf } from "./session.ts";
import { createTable } from "./table.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000_000;
const PAGE = 1_000;
const YEAR_MS = 31_536_000_000;

const columns = [
  ["TIME", 24],
  ["KIND", 17],
  ["SUBJECT", 36],
  ["SESSION", 32],
  ["ADDRESS", 15],
  ["ACTOR", 12],
  ["DETAIL", 0],
] as const;

/** The compiler keeps the list complete. */
const kinds: Readonly<Record<AuditKind, true>> = {
  login: true,
  login_refused: true,
  login_limited: true,
  client_refused: true,
  refresh_reuse: true,
  refresh_shadowed: true,
  refresh_forked: true,
  store_rolled_back: true,
  session_ended: true,
  subject_ended: true,
  token_revoked: true,
  key_revoked: true,
  password_changed: true,
  user_added: true,
  users_imported: true,
  user_disabled: true,
  user_enabled: true,
  user_removed: true,
  user_scopes_changed: true,
  keys_rotated: true,
  keys_exported: true,
  keys_imported: true,
  keys_distrusted: true,
  keys_refreshed: true,
  breaker_forced: true,
  data_restored: true,
  secrets_forgotten: true,
  record_tampered: true,
};

/** The filter that the options ask for. A member that is `null` accepts every event. */
interface AuditFilter {
  readonly kinds: ReadonlySet<string> | null;
  readonly subject: string | null;
  readonly isOfSession: ((session: string) => boolean) | null;
  /** Epoch ms. */
  readonly since: number | null;
}

export const audit: Command = {
  name: "audit",
  summary: "list the audit events that the store keeps, newest first",
  operands: [],
  options: {
    kind: { value: "KIND", help: "only events of this kind, such as login_refused. May be repeated" },
    user: { value: "NAME", help: "only events of this user: name or subject" },
    session: { value: "ID", help: "only events of this session: its id, or holdfast.session of a log line" },
    since: { value: "TIME", help: "only events since then: 90m, 24h or 7d ago, or 2026-11-30T18:00:00Z" },
    limit: { value: "N", help: `at most N events (default ${DEFAULT_LIMIT})` },
    json: { help: "print each event as a line of JSON, with the sessionDigest of log lines" },
  },
  examples: [
    "holdfast audit --since 24h",
    "holdfast audit --kind refresh_reuse --kind record_tampered --limit 1000",
    "holdfast audit --user alice --json",
  ],
  notes: `Columns: time, kind, subject, session, address of the client, actor, detail. A terminal shows their titles; a pipe gets
tabs between the columns, and no titles. The store keeps events for 90 days.
Kinds: docs/reference/events.md explains them.`,
  async run({ options }) {
    const [user] = single(options["user"], "user");
    const [session = null] = single(options["session"], "session");
    const [sinceText] = single(options["since"], "since");
    const sinceOf = sinceText === undefined ? () => null : readSince(sinceText);
    const limit = readLimit(single(options["limit"], "limit")[0]);
    const wantedKinds = options["kind"]?.map(readKind);
    const isJson = options["json"] !== undefined;
    return await withService(async (service) => {
      const digest = service.sessionDigest;
      const subject = user === undefined ? null : await subjectOf(service, user);
      const filter: AuditFilter = {
        kinds: wantedKinds === undefined ? null : new Set(wantedKinds),
        subject: subject?.subject ?? null,
        isOfSession: session === null ? null : (id) => id === session || digest(id) === session,
        since: sinceOf(await service.store.now()),
      };
      // The reader of `holdfast audit | head` closes the output before its end.
      let failure: NodeJS.ErrnoException | null = null;
      const onFailure = (error: NodeJS.ErrnoException) => (failure = error);
      process.stdout.on("error", onFailure);
      let listed = 0;
      const printRow = createTable(columns);
      for await (const event of findEvents(service, filter, limit)) {
        if (failure !== null) break;
        listed++;
        if (isJson) console.log(toJson(event, digest));
        else printRow(cellsOf(event));
      }
      if (listed === 0 && subject?.known === false) {
        console.error(
          `note: there is no user ${user}, and no event that fits has this subject; check the spelling`,
        );
      }
      if (listed === 0 && session !== null) {
        console.error("note: no event that fits has this session; check its id, and the other options");
      }
      return exitCodeOf(failure);
    });
  },
};

function exitCodeOf(failure: NodeJS.ErrnoException | null): number {
  if (failure === null || failure.code === "EPIPE") return 0;
  console.error(`holdfast: the output cannot be written (${failure.code})`);
  return 1;
}

async function* findEvents(
  { store }: Pick<Service, "store">,
  filter: AuditFilter,
  limit: number,
): AsyncGenerator<AuditEvent> {
  let found = 0;
  const isOfUser = userFilter(store, filter.subject);
  for (let before: string | null = null; found < limit;) {
    const { events, next } = await store.audit.page(PAGE, before);
    for (const event of events) {
      if (!passes(event, filter) || !(await isOfUser(event))) continue;
      yield event;
      if (++found === limit) return;
    }
    // The clock of the store may have been set back, so one old event does not mean that the rest is older.
    const { since } = filter;
    if (next === null || (since !== null && events.every(({ at }) => at < since))) return;
    before = next;
  }
}

/**
 * Tells the events of a user. An event about a damaged or lost session has no subject, because no proof names its user.
 * The other events of the session name the user, so they are read when the first such event appears.
 */
function userFilter(
  { audit: events }: Pick<Service["store"], "audit">,
  subject: string | null,
): (event: AuditEvent) => Promise<boolean> {
  let sessions: ReadonlySet<string> | undefined;
  return async (event) => {
    if (subject === null || event.subject === subject) return true;
    if (event.subject !== null || event.session === null) return false;
    sessions ??= await sessionsOf(events, subject);
    return sessions.has(event.session);
  };
}

async function sessionsOf(store: Service["store"]["audit"], subject: string): Promise<ReadonlySet<string>> {
  const sessions = new Set<string>();
  for (let before: string | null = null; ;) {
    const { events, next } = await store.page(PAGE, before);
    for (const event of events) {
      if (event.subject === subject && event.session !== null) sessions.add(event.session);
    }
    if (next === null) return sessions;
    before = next;
  }
}

function passes(event: AuditEvent, { kinds: wanted, isOfSession, since }: AuditFilter): boolean {
  return (
    (wanted === null || wanted.has(event.kind)) &&
    (isOfSession === null || (event.session !== null && isOfSession(event.session))) &&
    (since === null || event.at >= since)
  );
}

function single(values: readonly string[] | undefined, option: string): readonly string[] {
  if (values !== undefined && values.length > 1) throw wrong(`give --${option} once`);
  return values ?? [];
}

function readKind(text: string): string {
  if (Object.hasOwn(kinds, text)) return text;
  const likely = closest(text, Object.keys(kinds));
  const hint = distance(text, likely) <= 3 ? `; did you mean ${likely}?` : "";
  throw wrong(`--kind must be a kind of audit event, and got ${JSON.stringify(text)}${hint}`);
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw wrong(`--limit must be a whole number from 1 to ${MAX_LIMIT}, and got ${JSON.stringify(text)}`);
}

/** A duration counts back from the time of the store, because its events have that time. */
function readSince(text: string): (nowMs: number) => number {
  const durationMs = parseDuration({ min: 1, max: YEAR_MS })(text);
  if (durationMs !== undefined) return (nowMs) => nowMs - durationMs;
  // `Date` accepts many more spellings, and reads some of them in the time zone of the machine.
  const at = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(at)) return () => at;
  throw wrong(
    `--since must be a duration such as 90m, 24h or 7d, or a time such as 2026-11-30T18:00:00Z, and got ${JSON.stringify(text)}`,
  );
}

function wrong(what: string): UsageError {
  return new UsageError(`${what}; see holdfast audit --help`);
}

function toJson(event: AuditEvent, digest: SessionDigest): string {
  const { session } = event;
  return JSON.stringify({ ...event, sessionDigest: session === null ? null : digest(session) });
}

function cellsOf({ at, kind, subject, session, source, actor, detail }: AuditEvent): string[] {
  return [
    new Date(at).toISOString(),
    kind,
    ...[subject, session, source, actor, detail].map((text) => text ?? "-"),
  ];
}
