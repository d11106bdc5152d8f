import { auditEvents } from "../../src/core/event-channels.ts";
import type { AuditEvent } from "../../src/core/events.ts";
import type { Store } from "../../src/stores/store.ts";
import type { FakeClock } from "../../src/testing/fake-clock.ts";
import { createFixture, logIn } from "../issuer/fixture.ts";
import { EventQueue } from "./event-queue.ts";
import { SimulatedClient, type ClientContext, type Sign } from "./simulated-client.ts";

const DAY_MS = 86_400_000;
const CONFLICT_MS = 30_000;
const REPLAY_INTERVAL_MS = 3 * 3_600_000;
const SIGNS: readonly Sign[] = ["acknowledgement", "access token", "none"];

export interface SimulationOptions {
  readonly store: Store;
  readonly clock: FakeClock;
  readonly random: () => number;
  /** Refreshes that reach the issuer. */
  readonly refreshes: number;
  readonly clients: number;
  readonly progress?: (text: string) => void;
}

export interface SimulationFigures {
  refreshes: number;
  /** Requests or answers that were lost. */
  lost: number;
  conflicts: number;
  /** Honest clients that had to log in again. */
  forcedLogins: number;
  /** Honest clients that got 409 although they had no newer token. */
  stuck: number;
  /** Sessions of honest clients that the audit trail reports as reused, forked or rolled back. */
  falseAlarms: number;
  /** Replays of a spent token after the acknowledgement of its successor and `conflictMs`. */
  replays: number;
  replaysFound: number;
  sleeps: number;
  longestSleepMs: number;
  simulatedDays: number;
}

const ALARMS: ReadonlySet<string> = new Set(["refresh_reuse", "refresh_forked", "store_rolled_back"]);

/**
 * Simulates browsers with five tabs that lose 5 % of requests and answers and sleep up to 23 hours, and a thief who
 * replays spent tokens. The time is that of the fake clock.
 */
export async function simulateRefreshes(options: SimulationOptions): Promise<SimulationFigures> {
  const { store, clock, random } = options;
  const startedAt = clock.now();
  const { issuer } = createFixture({
    store,
    clock,
    conflictMs: CONFLICT_MS,
    refreshAbsoluteMs: 3650 * DAY_MS,
    random,
  });
  const figures: SimulationFigures = {
    refreshes: 0,
    lost: 0,
    conflicts: 0,
    forcedLogins: 0,
    stuck: 0,
    falseAlarms: 0,
    replays: 0,
    replaysFound: 0,
    sleeps: 0,
    longestSleepMs: 0,
    simulatedDays: 0,
  };
  const queue = new EventQueue(clock);
  const alarms: AuditEvent[] = [];
  const onAudit = (event: unknown) => {
    if (ALARMS.has((event as AuditEvent).kind)) alarms.push(event as AuditEvent);
  };
  auditEvents.subscribe(onAudit);
  const context: ClientContext = {
    issuer,
    queue,
    random,
    now: () => clock.now(),
    conflictMs: CONFLICT_MS,
    count: (what) => {
      figures[what]++;
      if (what === "refreshes" && figures.refreshes % 1000 === 0) {
        options.progress?.(`${figures.refreshes} of ${options.refreshes} refreshes`);
      }
    },
    recordSleep: (ms) => {
      figures.sleeps++;
      figures.longestSleepMs = Math.max(figures.longestSleepMs, ms);
    },
  };

  const clients: SimulatedClient[] = [];
  const logInClient = async (n: number) => {
    const tokens = await logIn(issuer, `user${n}`);
    return new SimulatedClient(context, SIGNS[n % SIGNS.length] ?? "none", tokens);
  };
  for (let n = 0; n < options.clients; n++) clients.push(await logInClient(n));

  /** Replays a spent token of one client, which then logs in again. */
  const replay = async (): Promise<void> => {
    queue.after(2 * REPLAY_INTERVAL_MS * random(), replay);
    const n = Math.floor((random() * clients.length) / SIGNS.length) * SIGNS.length;
    const victim = clients[n];
    const stolen = victim?.stealSpent();
    if (victim === undefined || stolen === undefined || victim.isLoggedOut) return;
    victim.isVictim = true;
    figures.replays++;
    const { status } = await issuer.refresh(stolen);
    const isReported = alarms.some(
      ({ kind, session }) => kind === "refresh_reuse" && session === victim.session,
    );
    const ended = (await store.sessions.get(victim.session))?.endReason === "reuse";
    if (status === "invalid_grant" && isReported && ended) figures.replaysFound++;
    victim.isLoggedOut = true;
    clients[n] = await logInClient(n);
  };
  queue.after(REPLAY_INTERVAL_MS, replay);
  const victims = new Set<string | null>();
  await queue.run(() => figures.refreshes >= options.refreshes);
  auditEvents.unsubscribe(onAudit);
  for (const { session, kind } of alarms) {
    // The thief causes one event for each session.
    if (kind !== "refresh_reuse" || victims.has(session)) figures.falseAlarms++;
    victims.add(session);
  }
  figures.falseAlarms += Math.max(0, victims.size - figures.replaysFound);
  figures.simulatedDays = Math.round((clock.now() - startedAt) / DAY_MS);
  await issuer.close();
  return figures;
}
