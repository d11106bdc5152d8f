import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import { UsageError, type Command } from "./command.ts";
import { endSessionsOf, findSessionToEnd, revokeSession, unknownId } from "./find-session.ts";
import { ACTOR } from "./user-rights.ts";

export const revoke: Command = {
  name: "revoke",
  summary: "end a session, a user's sessions, a token or a key",
  operands: [],
  options: {
    session: { value: "ID", help: "end one session: sid of its tokens, or holdfast.session of a log line" },
    user: { value: "NAME", help: "end all sessions of a user (name or subject)" },
    "token-id": { value: "ID", help: "refuse one access token: its jti" },
    key: { value: "ID", help: "refuse every token signed with a key: kid of its tokens" },
    force: {
      help: "with --session or --key: revoke an id that this store has lost, for example by a restore",
    },
  },
  examples: [
    "holdfast revoke --user alice",
    "holdfast revoke --session 4d19704f4994761b2447054feeed33f1",
    "holdfast revoke --key 8sZ0mB2…",
  ],
  notes:
    'A running service refuses the revoked tokens within half a second. The output "revoked" means that it is durable.',
  async run({ options }) {
    const { force, ...named } = options;
    const [first, ...others] = Object.entries(named).flatMap(([name, ids = []]) =>
      ids.map((id) => [name, id]),
    );
    if (first === undefined || others.length > 0) {
      throw new UsageError("name one of --session, --user, --token-id and --key; see holdfast revoke --help");
    }
    const [option = "", id = ""] = first;
    const isForced = force !== undefined;
    if (isForced && option !== "session" && option !== "key") {
      throw new UsageError("--force goes with --session or --key; see holdfast revoke --help");
    }
    return await withService(async (service) => {
      const { issuer, store } = service;
      const by = { actor: ACTOR };
      let revoked = id;
      if (option === "session") {
        revoked = await findSessionToEnd(service, id, isForced);
        await revokeSession(service, revoked);
      } else if (option === "token-id") {
        await issuer.revoke({ kind: "token", id }, by);
      } else if (option === "key") {
        const isKnown = (await issuer.keys.list()).some(({ kid }) => kid === id);
        if (!isKnown && !isForced) throw unknownId("key", id, "revoked");
        await issuer.revoke({ kind: "key", id }, by);
      } else {
        const user = (await issuer.users.get(id)) ?? (await store.users.getBySubject(id));
        if (user === null) throw new HoldfastError("invalid_option", `there is no user ${id}`);
        await endSessionsOf(service, user.subject);
      }
      console.log(`revoked ${option} ${revoked}`);
      return 0;
    });
  },
};
