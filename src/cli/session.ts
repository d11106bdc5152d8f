import { withService } from "../server/maintenance/with-service.ts";
import type { Service } from "../server/service.ts";
import { UsageError, type Command } from "./command.ts";
import { endSessionsOf, findSessionToEnd, revokeSession } from "./find-session.ts";
import { createTable } from "./table.ts";
import { ACTOR } from "./user-rights.ts";

type SessionView = Awaited<ReturnType<Service["issuer"]["sessions"]["list"]>>["sessions"][number];

const user = { value: "NAME", help: "the user: name or subject" };
const PAGE = 500;

const columns = [
  ["ID", 32],
  ["STARTED", 24],
  ["LAST USED", 24],
  ["ADDRESS", 15],
  ["CLIENT", 8],
  ["DEVICE NAME", 16],
  ["DEVICE", 24],
  ["LOG ID", 16],
] as const;

/** Says which sessions have records that cannot be read. Returns how many. */
function noteUnreadable(ids: readonly string[], advice: (id: string) => string): number {
  for (const id of ids) {
    // Another program may have written the id.
    const shown = id.replaceAll(/\p{C}/gu, " ");
    console.error(`note: the record of session ${shown} cannot be read; ${advice(shown)}`);
  }
  return ids.length;
}

/** Notes the sessions of the subject that end although their records cannot be read. */
async function noteDamaged({ issuer }: Service, subject: string): Promise<void> {
  for (let after: string | undefined; ;) {
    const from = after === undefined ? {} : { after };
    const { unreadable, next } = await issuer.sessions.list(subject, { limit: PAGE, ...from });
    noteUnreadable(unreadable, () => "the session ends all the same");
    if (next === null) return;
    after = next;
  }
}

/** Returns the subject of a user of the store. Another text is a subject itself, for an application with its own users. */
export async function subjectOf(
  { issuer, store }: Service,
  name: string,
): Promise<{ subject: string; known: boolean }> {
  const found = (await issuer.users.get(name)) ?? (await store.users.getBySubject(name));
  return { subject: found?.subject ?? name, known: found !== null };
}

function warnUnknown(name: string): void {
  console.error(`note: there is no user ${name}, and no session with this subject; check the spelling`);
}

export const sessionList: Command = {
  name: "session list",
  summary: "list a user's live sessions, newest first",
  operands: [],
  options: { user },
  examples: ["holdfast session list --user alice"],
  notes:
    "Columns: id, start, last use, address of the login, client, name of the device, description of the device,\nholdfast.session of log lines. A terminal shows their titles; a pipe gets tabs between the columns, and no titles.",
  async run({ options }) {
    const [name, ...others] = options["user"] ?? [];
    if (name === undefined || others.length > 0) {
      throw new UsageError("give --user once; see holdfast session list --help");
    }
    return await withService(async (service) => {
      const { subject, known } = await subjectOf(service, name);
      let listed = 0;
      const printRow = createTable(columns);
      for (let after: string | undefined; ;) {
        const from = after === undefined ? {} : { after };
        const { sessions, unreadable, next } = await service.issuer.sessions.list(subject, {
          limit: PAGE,
          ...from,
        });
        for (const session of sessions) printRow(cellsOf(session, service.sessionDigest(session.id)));
        listed += sessions.length;
        listed += noteUnreadable(unreadable, (id) => `holdfast session end ${id} ends the session`);
        if (next === null) break;
        after = next;
      }
      if (listed === 0 && known) console.error(`note: ${name} has no live session`);
      if (listed === 0 && !known) warnUnknown(name);
      return 0;
    });
  },
};

export const sessionEnd: Command = {
  name: "session end",
  summary: "end one session, or all sessions of a user",
  operands: ["[ID]"],
  options: { user, force: { help: "end an ID that this store has lost, for example by a restore" } },
  examples: ["holdfast session end 4d19704f4994761b2447054feeed33f1", "holdfast session end --user alice"],
  notes:
    "ID is the sid of the tokens, or holdfast.session of a log line.\n" +
    "A running service refuses the tokens within half a second, and closes open connections. The user can log in again;\nholdfast user disable prevents that.",
  async run({ operands: [id], options }) {
    const [name, ...others] = options["user"] ?? [];
    if ((id === undefined) === (name === undefined) || others.length > 0) {
      throw new UsageError("give an ID or --user; see holdfast session end --help");
    }
    const isForced = options["force"] !== undefined;
    if (isForced && id === undefined)
      throw new UsageError("--force needs an ID; see holdfast session end --help");
    return await withService(async (service) => {
      const { issuer } = service;
      if (id !== undefined) {
        const session = await findSessionToEnd(service, id, isForced);
        // The tokens of a session that the store has lost are revoked all the same.
        if ((await issuer.sessions.end(session, { actor: ACTOR })) === "unknown") {
          await revokeSession(service, session);
        }
        console.log(`ended session ${session}`);
        return 0;
      }
      const { subject, known } = await subjectOf(service, name ?? "");
      await noteDamaged(service, subject);
      const ended = await endSessionsOf(service, subject);
      if (ended === 0 && !known) warnUnknown(name ?? "");
      console.log(`ended ${ended} ${ended === 1 ? "session" : "sessions"} of ${name}`);
      return 0;
    });
  },
};

function cellsOf({ id, startedAt, lastUsedAt, ...told }: SessionView, digest: string): string[] {
  const { address, client, deviceName, device } = told;
  const times = [startedAt, lastUsedAt].map((ms) => new Date(ms).toISOString());
  return [id, ...times, address ?? "-", client ?? "-", deviceName ?? "-", device ?? "-", digest];
}
