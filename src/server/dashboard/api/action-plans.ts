import { invalidOption } from "../../../core/options.ts";
import type { Action } from "../../../dashboard/wire-api.ts";
import type { SessionView } from "../../../issuer/sessions/session-types.ts";
import type { Service } from "../../service.ts";
import { findLiveSession, SESSION_ID } from "../../find-session.ts";
import { durationWords } from "../../health/words.ts";
import { writeAuditNote } from "../../audit-note.ts";
import type { BreakerAction } from "./breaker-action.ts";
import type { Plan } from "./plan.ts";

/** More sessions than these are counted as so many or more. */
const COUNTED_SESSIONS = 500;
const RETRY_WORDS = "the last fetch was a moment ago";

/** Says what an action would do now. Rejects with `invalid_option` when it names something that does not exist. */
export async function plan(service: Service, breakers: BreakerAction, action: Action): Promise<Plan> {
  switch (action.action) {
    case "end-session":
      return await planEndSession(service, action.session);
    case "end-subject":
      return await planEndSubject(service, action.subject);
    case "revoke-key":
      return planRevokeKey(service, action.kid);
    case "rotate-keys":
      return planRotateKeys(service);
    case "breaker":
      return breakers.plan(action.issuer, action.state, action.forMs);
    case "refresh-keys":
      return planRefreshKeys(service, action.issuer);
    default:
      throw invalidOption("action", "a known one", action);
  }
}

async function planEndSession(service: Service, id: string): Promise<Plan> {
  const { issuer } = service;
  const session = await findLiveSession(service, id);
  if (session === null) {
    const force = `if the store has lost it, run holdfast session end ${SESSION_ID.test(id) ? id : "ID"} --force`;
    return { effect: `ends nothing: there is no such live session; ${force}`, run: null };
  }
  const named = session === "damaged" ? `the session ${id}, whose record is damaged` : nameOf(session);
  return {
    effect: `ends ${named}`,
    async run(by) {
      const outcome = await issuer.sessions.end(id, by);
      const effect = outcome === "ended" ? `ended ${named}` : "ended nothing: the session is gone";
      return { ...audited, effect };
    },
  };
}

function nameOf({ subject, deviceName, device }: SessionView): string {
  const where = deviceName ?? device;
  return `the session of ${subject}${where === null ? "" : ` on ${where}`}`;
}

/** The issuer writes the audit event, and reports when the store does not keep it. */
const audited = { audited: true } as const;

async function planEndSubject({ issuer }: Service, subject: string): Promise<Plan> {
  const { sessions, unreadable, next } = await issuer.sessions.list(subject, { limit: COUNTED_SESSIONS });
  const damaged = unreadable.length;
  const count = `${sessions.length + damaged}${next === null ? "" : " or more"}`;
  return {
    effect: `ends ${sessionsOf(count, subject)}${damagedWords(damaged, count)}, and revokes every earlier token`,
    async run(by) {
      const ended = await issuer.sessions.endAll(subject, by);
      const lost = await issuer.sessions.giveUpLost(subject, by);
      const also = lost === 0 ? "" : `, gave up ${lost} more that the store had lost`;
      // A store cannot tell whether a session with a damaged record was live, so it may not count it.
      const which =
        damaged === 0
          ? sessionsOf(String(ended), subject)
          : `all sessions of ${subject}, also those with damaged records`;
      return { ...audited, effect: `ended ${which}${also}, and revoked every earlier token` };
    },
  };
}

function damagedWords(damaged: number, count: string): string {
  if (damaged === 0) return "";
  if (count === "1") return ", whose record is damaged";
  return String(damaged) === count
    ? ", whose records are damaged"
    : `, ${damaged} of them with a damaged record`;
}

function sessionsOf(count: string, subject: string): string {
  return `${count} ${count === "1" ? "session" : "sessions"} of ${subject}`;
}

function planRevokeKey({ issuer }: Service, kid: string): Plan {
  const key = issuer.status().keys.find((one) => one.kid === kid);
  if (key === undefined) throw invalidOption("kid", "that of a signing key of this service", kid);
  const signs = key.activatedAt !== null && key.retiredAt === null;
  return {
    effect: `refuses every token under the key ${kid} for good${signs ? ", and the next key signs" : ""}; sessions go on with their next refresh`,
    async run(by) {
      await issuer.revoke({ kind: "key", id: kid }, by);
      return audited;
    },
  };
}

function planRotateKeys({ issuer }: Service): Plan {
  const next = issuer
    .status()
    .keys.find(({ activatedAt, retiredAt }) => activatedAt === null && retiredAt === null);
  return {
    effect: `signs new tokens with the next key${next === undefined ? "" : ` ${next.kid}`}; earlier tokens stay valid`,
    async run(by) {
      await issuer.keys.rotate(by);
      return audited;
    },
  };
}

/** A provider must not be asked more often than its key set allows, whoever asks. */
function planRefreshKeys({ guard, store, platform: { clock } }: Service, issuer: string): Plan {
  const status = guard.status().issuers.find((one) => one.issuer === issuer);
  if (status === undefined) throw invalidOption("issuer", "one that this service trusts", issuer);
  const { coolingDownMs, maxStaleMs } = status.keys;
  if (maxStaleMs === null) return { effect: "fetches nothing: these keys are configured", run: null };
  if (coolingDownMs > 0) {
    const wait = durationWords(Math.max(1_000, coolingDownMs));
    return { effect: `fetches nothing: ${RETRY_WORDS}, and the next one is possible in ${wait}`, run: null };
  }
  return {
    effect: `fetches the key set of ${issuer} again`,
    async run({ actor = "", session }) {
      guard.refreshKeys(issuer);
      const noted = writeAuditNote(store, "keys_refreshed", issuer, { subject: actor, session }, clock);
      return { audited: await noted.then(() => true).catch(() => false) };
    },
  };
}
