import type { Context, Hono } from "hono";
import type { AuthEnv } from "../../../adapters/hono.ts";
import type { AuditEvent } from "../../../core/events.ts";
import type { AuditAnswer, SessionRow, SessionsAnswer, UsersAnswer } from "../../../dashboard/wire-api.ts";
import { oauthError } from "../../http/respond.ts";
import { readLimit } from "../../../issuer/endpoints/session-page.ts";
import type { SessionView } from "../../../issuer/sessions/session-types.ts";
import { addGetRoute } from "../../http/get-route.ts";
import { requireAdmin } from "../../http/require-admin.ts";
import { findLiveSession, findSessionByDigest } from "../../find-session.ts";
import type { Service } from "../../service.ts";
import type { SessionDigest } from "../../session-digest.ts";
import { answer } from "./answer.ts";

/** A busy store has more events. `holdfast audit` reads all of them. */
const MAX_AUDIT_PAGES = 10;

/** The events that a filter looks at. A page of the store has as many, and older ones need `holdfast audit`. */
const SEARCHED_EVENTS = 1_000;
const MAX_PAGE = 500;

type Query = URLSearchParams;

/** Adds the audit events, which the page without JavaScript shows as well, and what only an administrator may read. */
export function addLists(app: Hono, service: Service): void {
  const { clock } = service.platform;
  addGetRoute(
    app,
    "/api/audit",
    answer(clock, async (c) => await listAudit(service, queryOf(c))),
  );
  const admin = app as unknown as Hono<AuthEnv>;
  admin.use("/api/users", ...requireAdmin(service));
  admin.use("/api/sessions", ...requireAdmin(service));
  addGetRoute(
    app,
    "/api/users",
    answer(clock, async (c) => await listUsers(service, queryOf(c))),
  );
  addGetRoute(
    app,
    "/api/sessions",
    answer(clock, async (c) => await listSessions(service, queryOf(c))),
  );
}

function queryOf(c: Context): Query {
  return new URL(c.req.url).searchParams;
}

async function listAudit({ store, sessionDigest }: Service, query: Query): Promise<AuditAnswer> {
  const limit = readLimit(query, MAX_PAGE);
  const { events, next } = await store.audit.page(SEARCHED_EVENTS, null);
  const subject = query.get("subject") ?? "";
  // An event about a damaged or lost session has no subject. The other events of the session name it.
  const sessions = new Set(events.flatMap((one) => (one.subject === subject ? (one.session ?? []) : [])));
  const isOfSubject = (event: AuditEvent) =>
    subject === "" ||
    event.subject === subject ||
    (event.subject === null && event.session !== null && sessions.has(event.session));
  const found = events
    .filter((event) => isOfSubject(event) && isWanted(event, query, sessionDigest))
    .slice(0, limit);
  const kinds = [...new Set(events.map(({ kind }) => kind))].toSorted();
  return { events: found, searched: events.length, hasMore: next !== null, kinds };
}

function isWanted(event: AuditEvent, query: Query, digest: SessionDigest): boolean {
  const kind = query.get("kind") ?? "";
  if (kind !== "" && event.kind !== kind) return false;
  const session = query.get("session") ?? "";
  // The reader has the id of the session, or its digest from the log.
  if (session !== "" && event.session !== session) {
    if (event.session === null || digest(event.session) !== session) return false;
  }
  const text = (query.get("text") ?? "").toLowerCase();
  const { at: _, ...members } = event;
  return (
    text === "" || Object.values(members).some((member) => member?.toLowerCase().includes(text) === true)
  );
}

async function listUsers({ issuer }: Service, query: Query): Promise<UsersAnswer> {
  const limit = readLimit(query, MAX_PAGE);
  const after = query.get("after") ?? "";
  const users = await issuer.users.list({ limit, ...(after !== "" && { after }) });
  return { users, next: users.length < limit ? null : (users.at(-1)?.username ?? null) };
}

async function listSessions(service: Service, query: Query): Promise<SessionsAnswer | Response> {
  const { issuer } = service;
  const given = ["subject", "username", "session"].filter((name) => (query.get(name) ?? "") !== "");
  if (given.length !== 1) {
    return oauthError(400, "invalid_request", "Name one of subject, username and session.");
  }
  const id = query.get("session") ?? "";
  if (id !== "") {
    const found = (await findSessionByDigest(service, id, MAX_AUDIT_PAGES)) ?? id;
    const session = await findLiveSession(service, found);
    if (session === "damaged") return { subject: null, sessions: [], unreadable: [found], next: null };
    const sessions = session === null ? [] : [toRow(session)];
    return { subject: session?.subject ?? null, sessions, unreadable: [], next: null };
  }
  const username = query.get("username") ?? "";
  const user = username === "" ? null : await issuer.users.get(username);
  if (username !== "" && user === null) return oauthError(404, "not_found", "There is no user of this name.");
  const after = query.get("after") ?? "";
  const page = { limit: readLimit(query, MAX_PAGE), ...(after !== "" && { after }) };
  const subject = user?.subject ?? query.get("subject") ?? "";
  const { sessions, unreadable, next } = await issuer.sessions.list(subject, page);
  return { subject, sessions: sessions.map(toRow), unreadable, next };
}

function toRow({ repeatStreak: streak, generation, ...session }: SessionView): SessionRow {
  // The login issues the first refresh token.
  return { ...session, refreshes: generation - 1, streak };
}
