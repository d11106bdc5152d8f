import { serve } from "../server/serve.ts";
import type { Command } from "./command.ts";

export const serveCommand: Command = {
  name: "serve",
  summary: "run the service",
  operands: [],
  examples: [
    "holdfast serve",
    "HOLDFAST_PORT=8080 HOLDFAST_DATA_DIR=/var/lib/holdfast HOLDFAST_URL=https://id.example.com holdfast serve",
  ],
  notes:
    "Everything is set by HOLDFAST_… in the environment; what is wrong there is refused by name. The first start\n" +
    "makes the data and a first user. SIGTERM finishes what is under way and exits with 0; a second one ends at once.",
  async run() {
    await serve();
    return 0;
  },
};
