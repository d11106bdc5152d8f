import { setTimeout as pause } from "node:timers/promises";
import { checkSuccessors } from "../../sim/checks/refresh-checks.ts";
import { operationsOf } from "../../sim/checks/run-history.ts";
import { Recorder } from "../../sim/recorder.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";
import { login, post, type Tokens } from "../support/auth-calls.ts";
import { Client } from "../support/kill-rounds.ts";
import type { ServiceProcess } from "../support/service-process.ts";
import { check, perSecond, type Figures, type SoakContext } from "./context.ts";
import { randomBetween } from "./random.ts";
import { runThefts } from "./thefts.ts";

export interface LossOptions extends SoakContext {
  readonly refreshes: number;
  readonly services: number;
  readonly clients: number;
  /** Number of thefts of each kind. */
  readonly thefts: number;
  /** Whether to wait until a conflict becomes reuse, which some thefts need to be detected. */
  readonly pastConflict: boolean;
}

const LOST = 0.05;
const ACKNOWLEDGED = 0.5;

/**
 * How long a client waits after an aborted request, which may still arrive. A client that is three generations ahead by
 * then would cause reuse. A real client refreshes only minutes later.
 */
const CUT_SETTLES_MS = 1000;

interface Counts {
  refreshes: number;
  lost: number;
  unavailable: number;
}

/** Refreshes as one client until all refreshes are done. Some answers are lost before or after they were sent. */
async function refreshWithLosses(
  options: LossOptions,
  services: readonly ServiceProcess[],
  { count, recorder }: { readonly count: Counts; readonly recorder: Recorder },
  first: Tokens,
): Promise<void> {
  const { random } = options;
  const base = () => services[randomBetween(random, 0, services.length - 1)]?.url ?? "";
  let tokens = first;
  let settled = 0;
  while (count.refreshes < options.refreshes) {
    count.refreshes++;
    if (count.refreshes % 500 === 0) options.progress(`${count.refreshes} of ${options.refreshes} refreshes`);
    const lost = random() < LOST;
    const cut = new AbortController();
    const timer = lost && random() < 0.5 ? setTimeout(() => cut.abort(), random() * 5) : undefined;
    const { session_id: session, refresh_token: presented } = tokens;
    const record = recorder.call("refresh", { session, presented: recorder.nameOf(presented) });
    const answer = await requestRefresh(base(), tokens, cut.signal);
    if (answer !== "cut") {
      const successor = answer.status === 200 && { refresh: recorder.nameOf(answer.tokens.refresh_token) };
      record({ status: answer.status, ...successor });
    }
    clearTimeout(timer);
    if (lost || answer === "cut") {
      count.lost++;
      if (answer === "cut") settled = performance.now() + CUT_SETTLES_MS;
    } else if (answer.status === 503) {
      count.unavailable++;
      await pause(20);
    } else {
      check(`no client is logged out (${answer.status})`, answer.status === 200);
      tokens = answer.tokens;
      const { refresh_token } = tokens;
      if (random() < ACKNOWLEDGED) await post(base(), "/auth/refresh/ack", { refresh_token });
      const unsettledMs = settled - performance.now();
      if (unsettledMs > 0) await pause(unsettledMs);
    }
  }
  await new Client(tokens).recover(base());
  check("the session is still the first one", tokens.session_id === first.session_id);
}

async function requestRefresh(
  base: string,
  { refresh_token }: Tokens,
  signal?: AbortSignal,
): Promise<{ status: number; tokens: Tokens } | "cut"> {
  try {
    const response = await post(base, "/auth/refresh", { refresh_token }, undefined, signal);
    return { status: response.status, tokens: (await response.json()) as Tokens };
  } catch {
    return "cut";
  }
}

/** Fault 44: clients refresh while answers get lost and tokens are stolen. */
export async function runLosses(options: LossOptions): Promise<Figures> {
  const starting = Array.from({ length: options.services }, async () => await options.deployment.start());
  const services = await Promise.all(starting);
  const count: Counts = { refreshes: 0, lost: 0, unavailable: 0 };
  const history: HistoryEntry[] = [];
  const recorder = new Recorder({
    record: (kind, data) => history.push({ at: performance.now(), process: null, kind, data: data ?? {} }),
  });
  const logins: Tokens[] = [];
  // The logins are sequential, because a burst of logins is rate-limited.
  for (let n = 0; n < options.clients; n++) logins.push(await login(services[0]?.url ?? ""));
  const work = async () => {
    const since = performance.now();
    await Promise.all(
      logins.map(async (first) => await refreshWithLosses(options, services, { count, recorder }, first)),
    );
    return perSecond(count.refreshes, since);
  };
  const [rate, theftFigures] = await Promise.all([
    work(),
    runThefts({ ...options, services, each: options.thefts }),
  ]);
  await options.deployment.stopServices();
  // The simulator checks its histories with the same function.
  const [fork] = checkSuccessors({ operations: operationsOf(history) });
  check(`no token has two successors (${fork?.message})`, fork === undefined);
  return {
    "refreshes with losses": `${count.refreshes}, ${rate}/s over ${options.services} services`,
    "answers lost": `${count.lost}; 503: ${count.unavailable}; forced logins: 0`,
    ...theftFigures,
  };
}
