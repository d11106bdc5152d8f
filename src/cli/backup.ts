import type { Command } from "./command.ts";

export const backup: Command = {
  name: "backup",
  summary: "copy the data into a new file, while the service runs",
  operands: ["FILE"],
  examples: ["holdfast backup /var/backups/holdfast-2026-11-21.db"],
  notes:
    "FILE appears complete, on the disk, readable by its owner only, or not at all. An existing file is never replaced.\n" +
    "It holds no secret: keep HOLDFAST_SECRET, or ….local/secret, in another place. For Redis use the tools of Redis.",
  async run({ operands: [file = ""] }) {
    const { backUp } = await import("../server/maintenance/backup.ts");
    const bytes = await backUp(file);
    console.log(`backed up to ${file} (${bytes} bytes)`);
    return 0;
  },
};
