import type { Announcement } from "../announcements.ts";
import { announcementsOf, type Announced } from "./announced.ts";
import { concerns } from "./concerned-faults.ts";
import type { Facts } from "./facts.ts";
import { serverFaultTimes, type FaultTime } from "./fault-times.ts";
import type { KnownLoss } from "./losses.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import { findUnannouncedRollbacks } from "./rollback-announcements.ts";
import type { Violation } from "./violation.ts";

const check = "losses are announced";
const EVICTION = "a server evicts keys";
/** A process looks at the configuration of the servers once a minute, and its clock may be slow. */
const LOOKS_AGAIN_MS = 62_000;
/** A read of the configuration takes this long at most, so what it tells may be over. */
const READ_MS = 5_000;
/** A process has recovered from a fault after this time without one. */
const UNDISTURBED_MS = 15_000;
/** A process remembers its writes for ten minutes, and its clock may be slow. */
const REMEMBERED_MS = 601_000;
/** A loss is known to a process when it has restored its writes, a message later. */
const SLACK_MS = 2_000;

/** The operations that append to the revocation log when they are confirmed. */
const endings: ReadonlySet<string> = new Set([
  "logout",
  "end session",
  "end subject",
  "set password",
  "disable user",
  "change password",
]);

/** Each loss that a service can know is announced in time, and nothing is announced without a loss. */
export function checkAnnouncements(facts: Facts, run: RunHistory): Violation[] {
  const announced = announcementsOf(run);
  const evictions = serverFaultTimes(facts.faults, run, EVICTION);
  return [
    ...findUnfounded(announced, facts, evictions),
    ...findUnaudited(announced, announcementsOf(run, "audited")),
    ...findUnannouncedRollbacks(announced, facts, run),
    ...findUnannouncedRestores(announced, facts),
    ...findUnannouncedEvictions(announced, facts, run, evictions),
  ];
}

function findUnfounded(
  announced: readonly Announced[],
  { losses }: Facts,
  evictions: readonly FaultTime[],
): Violation[] {
  const hasLost = (loss: KnownLoss, names: readonly string[]) =>
    loss.changes.some(({ keys }) => keys?.some((key) => names.some((name) => key.includes(name))) ?? true);
  const isLowered = (at: number) =>
    evictions.some(({ began, ended }) => began <= at && at <= ended + READ_MS);
  const isFounded: Readonly<Record<Announcement, (one: Announced) => boolean>> = {
    store_rolled_back: ({ at }) =>
      losses.all.some((loss) => loss.since <= at && hasLost(loss, ["{session:", "{users}"])),
    writes_restored: ({ at }) =>
      losses.all.some(
        (loss) =>
          loss.since <= at &&
          at < loss.reportedAt + REMEMBERED_MS &&
          hasLost(loss, ["{session:", "{store}", "{users}"]),
      ),
    durability_lost: ({ at }) => isLowered(at),
    durability_restored: ({ at, process }) => {
      const earlier = announced.findLast(
        (one) => one.process === process && one.at < at && one.event.startsWith("durability"),
      );
      return earlier?.event === "durability_lost";
    },
  };
  return announced
    .filter((one) => !isFounded[one.event](one))
    .map(({ at, process, event }) => ({
      check,
      at,
      process,
      message: `${event} was announced although the store had lost nothing that it tells of`,
    }));
}

/** A process that announces that its store went back puts that into the audit log in the same moment. */
function findUnaudited(announced: readonly Announced[], audited: readonly Announced[]): Violation[] {
  return announced
    .filter(
      (one) =>
        one.event === "store_rolled_back" &&
        !audited.some(({ at, process }) => at === one.at && process === one.process),
    )
    .map(({ at, process, event }) => ({ check, at, process, message: `${event} has no audit event` }));
}

/** A process that has applied its lost writes again says so. */
function findUnannouncedRestores(
  announced: readonly Announced[],
  { losses, operations }: Facts,
): Violation[] {
  const told = announced.filter(({ event }) => event === "writes_restored");
  const possible = operations.filter(({ operation }) => endings.has(operation) || operation === "refresh");
  return losses.all.flatMap((loss): Violation[] => {
    const until = loss.restoredAt + SLACK_MS;
    if (!Number.isFinite(until) || told.some(({ at }) => loss.since <= at && at <= until)) return [];
    // Nothing is written to a store that has lost its manifest.
    if (losses.isDeleted("{store}", until)) return [];
    const lost = possible.find((operation) => isLostEnding(operation, loss, possible));
    if (lost === undefined) return [];
    const message = `the revocation of a ${lost.operation} was lost and restored, and no service announced that`;
    return [{ check, at: loss.restoredAt, process: null, message }];
  });
}

/** Whether a confirmed operation appended an entry to the log that the store has lost. No other operation may have done it. */
function isLostEnding(
  { operation, answer, began, ended }: RecordedOperation,
  { changes, reportedAt }: KnownLoss,
  possible: readonly RecordedOperation[],
): boolean {
  const status = answer?.["status"];
  if (!endings.has(operation) || (status !== 204 && status !== 200) || ended > reportedAt) return false;
  const appended = changes.filter(
    ({ at, keys, isWhole }) =>
      isWhole !== true && began <= at && at <= ended && keys?.some((key) => key.endsWith("{store}:in-force")),
  );
  const [first] = appended;
  if (first === undefined || appended.length > 1) return false;
  return possible.filter((other) => other.began <= first.at && first.at <= other.ended).length === 1;
}

/** A service says within a minute that its servers may evict keys, and that they no longer may. */
function findUnannouncedEvictions(
  announced: readonly Announced[],
  facts: Facts,
  { plan, history }: RunHistory,
  evictions: readonly FaultTime[],
): Violation[] {
  const failed = history.filter(({ kind }) => kind === "start failed");
  const isUndisturbed = (process: string, began: number, until: number, own: FaultTime) =>
    !failed.some((one) => one.process === process && one.at < until) &&
    !facts.faults.some(
      (fault) =>
        fault !== own &&
        fault.began < until &&
        began - UNDISTURBED_MS < fault.ended &&
        concerns(fault, process, plan),
    );
  const last = history.at(-1)?.at ?? 0;
  const isTold = (process: string, event: Announcement, from: number, to: number) =>
    announced.some((one) => one.process === process && one.event === event && from <= one.at && one.at <= to);
  return evictions.flatMap((eviction) =>
    plan.services.flatMap((process): Violation[] => {
      const { began, ended } = eviction;
      const violation = (at: number, what: string) => [
        {
          check,
          at,
          process,
          message: `${process} did not announce within a minute that its servers ${what}`,
        },
      ];
      const isKnown = isTold(process, "durability_lost", began, ended + READ_MS);
      const lateAt = Math.min(ended, began + LOOKS_AGAIN_MS);
      if (!isKnown && ended > began + LOOKS_AGAIN_MS && isUndisturbed(process, began, lateAt, eviction))
        return violation(lateAt, "may evict keys");
      const endsAt = ended + LOOKS_AGAIN_MS;
      if (!isKnown || endsAt > last || !isUndisturbed(process, ended, endsAt, eviction)) return [];
      return isTold(process, "durability_restored", began, endsAt)
        ? []
        : violation(endsAt, "no longer evict keys");
    }),
  );
}
