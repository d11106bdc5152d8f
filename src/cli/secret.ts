import { withService } from "../server/maintenance/with-service.ts";
import type { Command } from "./command.ts";

export const secretForget: Command = {
  name: "secret forget",
  summary: "refuse the refresh tokens of secrets that were removed",
  operands: [],
  examples: ["holdfast secret forget"],
  notes:
    "Every secret that made a session stays on a list in the store until the session must have expired. Requests under a\n" +
    "secret that is on the list and not in HOLDFAST_SECRET answer 503. This command takes such secrets off the list, after\n" +
    "a theft for example. Their refresh tokens are then 400, and their users have to log in again.",
  async run() {
    return await withService(async ({ issuer }) => {
      const forgotten = await issuer.forgetSecrets();
      console.log(`forgot ${forgotten} ${forgotten === 1 ? "secret" : "secrets"}`);
      return 0;
    });
  },
};
