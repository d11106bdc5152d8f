import { migrate as moveData } from "../server/maintenance/migrate.ts";
import { UsageError, type Command } from "./command.ts";

export const migrate: Command = {
  name: "migrate",
  summary: "move everything from the data file to an empty Redis, while no service runs",
  operands: [],
  options: { to: { value: "URL", help: "redis://host:port; without it REDIS_URL says where" } },
  examples: [
    "HOLDFAST_SECRET=… holdfast migrate --to redis://127.0.0.1:6379",
    "REDIS_URL=rediss://user:password@redis.internal:6379 HOLDFAST_SECRET=… holdfast migrate",
  ],
  notes:
    "Users, sessions, keys, revocations and audit events: nobody notices, and guards elsewhere go on reading the log\n" +
    "where they were. Give it the settings that the services will have; a secret that was made on the first start is in\n" +
    "….local/secret. When it was interrupted, run it again: until all is copied the file is still the store, and from\n" +
    "then on no service starts on it.",
  async run({ options }) {
    const [to, ...others] = options["to"] ?? [];
    if (others.length > 0) throw new UsageError("name one --to; see holdfast migrate --help");
    const { place, sessions } = await moveData(to);
    const what = sessions === null ? "everything was moved before" : `moved everything, ${sessions} sessions`;
    console.log(`${what}, to ${place}\nfrom now on: HOLDFAST_STORE=redis`);
    return 0;
  },
};
