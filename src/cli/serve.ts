import { settingDefinitions } from "../server/setting-definitions.ts";
import type { Command } from "./command.ts";
import { formatColumns } from "./help.ts";

const settings = Object.entries(settingDefinitions).map(
  ([name, { form, default: text, otherwise }]) => [name, `${form} (default: ${text ?? otherwise})`] as const,
);

export const serveCommand: Command = {
  name: "serve",
  summary: "run the service",
  operands: [],
  examples: [
    "holdfast serve",
    "HOLDFAST_PORT=8080 HOLDFAST_DATA_DIR=/var/lib/holdfast HOLDFAST_URL=https://id.example.com holdfast serve",
  ],
  notes: `The first start creates the data and a first user. SIGTERM finishes the requests under way and exits with 0. A
second signal ends the service immediately.

Settings are environment variables. The service refuses to start with an unknown or malformed one, and names it.
${formatColumns(settings)}`,
  async run() {
    // No other command needs the listeners.
    const { serve } = await import("../server/serve.ts");
    await serve();
    return 0;
  },
};
