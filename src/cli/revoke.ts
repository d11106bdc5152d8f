import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import { UsageError, type Command } from "./command.ts";

export const revoke: Command = {
  name: "revoke",
  summary: "end a session, a user's sessions, a token or a key",
  operands: [],
  options: {
    session: { value: "ID", help: "end one session: sid of its tokens" },
    user: { value: "NAME", help: "end all sessions of a user (name or subject)" },
    "token-id": { value: "ID", help: "refuse one access token: its jti" },
    key: { value: "ID", help: "refuse every token signed with a key: kid of its tokens" },
  },
  examples: [
    "holdfast revoke --user alice",
    "holdfast revoke --session 4d19704f4994761b2447054feeed33f1",
    "holdfast revoke --key 8sZ0mB2…",
  ],
  notes:
    'A running service refuses the revoked tokens within half a second. The output "revoked" means that it is durable.',
  async run({ options }) {
    const [first, ...others] = Object.entries(options).flatMap(([name, ids = []]) =>
      ids.map((id) => [name, id]),
    );
    if (first === undefined || others.length > 0) {
      throw new UsageError("name one of --session, --user, --token-id and --key; see holdfast revoke --help");
    }
    const [option = "", id = ""] = first;
    return await withService(async ({ issuer, store }) => {
      let known = true;
      if (option === "session") {
        known = (await store.sessions.get(id)) !== null;
        await issuer.revoke({ kind: "session", id });
      } else if (option === "token-id") {
        await issuer.revoke({ kind: "token", id });
      } else if (option === "key") {
        known = (await issuer.keys.list()).some(({ kid }) => kid === id);
        await issuer.revoke({ kind: "key", id });
      } else {
        const user = (await issuer.users.get(id)) ?? (await store.users.getBySubject(id));
        if (user === null) throw new HoldfastError("invalid_option", `there is no user ${id}`);
        await issuer.revoke({ kind: "subject", id: user.subject });
      }
      console.log(`revoked ${option} ${id}`);
      if (!known) console.error(`note: the store has no ${option} ${id}; check the spelling`);
      return 0;
    });
  },
};
