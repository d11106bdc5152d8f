import { restore as restoreData } from "../server/maintenance/restore.ts";
import { UsageError, type Command } from "./command.ts";

export const restore: Command = {
  name: "restore",
  summary: "put a backup in the place of the data, while no service uses them",
  operands: ["FILE"],
  options: { sessions: { value: "end|keep", help: "whether sessions go on; end by default" } },
  examples: [
    "holdfast restore /var/backups/holdfast-2026-11-21.db",
    "holdfast restore /var/backups/holdfast-2026-11-21.db --sessions keep",
  ],
  notes:
    "What happened since the backup is not in it: users and passwords are as they were. So every session ends and\n" +
    "every signing key is replaced: everybody logs in again. With --sessions keep they go on: only for a backup that\n" +
    "was made after the last service had stopped, else refresh tokens that were spent, or stolen, are good again.\n" +
    "The data that stood there are kept beside them, under a name with the time.",
  async run({ operands: [file = ""], options }) {
    const [sessions = "end", ...others] = options["sessions"] ?? [];
    if (others.length > 0 || !["end", "keep"].includes(sessions)) {
      throw new UsageError("--sessions must be end or keep; see holdfast restore --help");
    }
    const restored = await restoreData(file, { keepSessions: sessions === "keep" });
    console.log(`restored ${restored.file} from ${file}`);
    if (restored.previous !== null) console.log(`what stood there is kept as ${restored.previous}`);
    return 0;
  },
};
