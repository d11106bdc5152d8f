import type { Announcement } from "../announcements.ts";
import type { RunHistory } from "./run-history.ts";

/** What a process announced, and when. */
export interface Announced {
  readonly at: number;
  readonly process: string | null;
  readonly event: Announcement;
}

/** The announcements of a run, or their audit events, in the order of their times. */
export function announcementsOf(
  { history }: RunHistory,
  recorded: "announced" | "audited" = "announced",
): Announced[] {
  return history
    .filter(({ kind }) => kind === recorded)
    .map(({ at, process, data }) => ({ at, process, event: data["event"] as Announcement }));
}
