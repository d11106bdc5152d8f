import { UsageError, type Command } from "./command.ts";

export const restore: Command = {
  name: "restore",
  summary: "replace the data by a backup, while no service uses them",
  operands: ["FILE"],
  options: { sessions: { value: "end|keep", help: "end all sessions, or keep them (end)" } },
  examples: [
    "holdfast restore /var/backups/holdfast-2026-11-21.db",
    "holdfast restore /var/backups/holdfast-2026-11-21.db --sessions keep",
  ],
  notes:
    "The backup lacks everything that happened since: users and passwords are as they were then. Therefore every\n" +
    "session ends and every signing key is replaced, and all users log in again. Use --sessions keep only for a backup\n" +
    "that was made after the last service had stopped. Otherwise spent or stolen refresh tokens are good again. The\n" +
    "previous data are kept beside the new ones, in a file with the time in its name.",
  async run({ operands: [file = ""], options }) {
    const [sessions = "end", ...others] = options["sessions"] ?? [];
    if (others.length > 0 || !["end", "keep"].includes(sessions)) {
      throw new UsageError("--sessions must be end or keep; see holdfast restore --help");
    }
    const { restore: restoreData } = await import("../server/maintenance/restore.ts");
    const restored = await restoreData(file, { keepSessions: sessions === "keep" });
    console.log(`restored ${restored.file} from ${file}`);
    if (restored.previous !== null) console.log(`the previous data are kept as ${restored.previous}`);
    return 0;
  },
};
