import { UsageError, type Command } from "./command.ts";

export const migrate: Command = {
  name: "migrate",
  summary: "move everything from the data file to an empty Redis, while no service runs",
  operands: [],
  options: { to: { value: "URL", help: "redis://host:port; default: REDIS_URL" } },
  examples: [
    "HOLDFAST_SECRET=… holdfast migrate --to redis://127.0.0.1:6379",
    "REDIS_URL=rediss://user:password@redis.internal:6379 HOLDFAST_SECRET=… holdfast migrate",
  ],
  notes:
    "It moves users, sessions, keys, revocations and audit events. Users stay logged in, and guards elsewhere go on\n" +
    "reading the log at their position. Use the settings that the services will have. A generated secret is in\n" +
    "….local/secret. Run the command again after an interruption. Until everything is copied the file is the store, and\n" +
    "after that no service starts with the file.",
  async run({ options }) {
    const [to, ...others] = options["to"] ?? [];
    if (others.length > 0) throw new UsageError("--to can be given once; see holdfast migrate --help");
    const { migrate: moveData } = await import("../server/maintenance/migrate.ts");
    const { place, sessions } = await moveData(to);
    const what =
      sessions === null ? "everything had been moved before" : `moved everything, ${sessions} sessions`;
    console.log(`${what}, to ${place}\nfrom now on: HOLDFAST_STORE=redis`);
    return 0;
  },
};
