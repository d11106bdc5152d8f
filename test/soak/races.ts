import { login, refresh, refreshOrFail, verify, type Tokens } from "../support/auth-calls.ts";
import type { ServiceProcess } from "../support/service-process.ts";
import { check, perSecond, type Figures, type SoakContext } from "./context.ts";
import { randomBetween } from "./random.ts";

export interface RaceOptions extends SoakContext {
  /** Numbers of services, each tested in turn. */
  readonly services: readonly number[];
  readonly latenciesMs: readonly number[];
  /** Rounds for each number of services and each latency. */
  readonly rounds: number;
}

const MAX_PARALLEL = 200;

interface Counts {
  refreshes: number;
  conflicts: number;
  unavailable: number;
}

/** Presents one token up to 200 times concurrently, and continues with its successor. */
async function race(services: readonly ServiceProcess[], random: () => number, count: Counts): Promise<void> {
  const base = (n: number) => services[n % services.length]?.url ?? "";
  const parallel = randomBetween(random, 2, MAX_PARALLEL);
  const first = await login(base(0));
  const answers = await Promise.all(
    Array.from({ length: parallel }, async (_, n) => {
      const response = await refresh(base(n), first.refresh_token);
      return { status: response.status, body: (await response.json()) as Tokens };
    }),
  );
  const withStatus = (status: number) => answers.filter((answer) => answer.status === status);
  count.refreshes += parallel;
  count.conflicts += withStatus(409).length;
  count.unavailable += withStatus(503).length;
  const others = answers.filter(({ status }) => ![200, 409, 503].includes(status));
  check(`the status is 200, 409 or 503, not ${others[0]?.status}`, others.length === 0);
  const successors = new Set(withStatus(200).map(({ body }) => body.refresh_token));
  check(`the token has one successor, not ${successors.size}`, successors.size <= 1);
  const again = await refreshOrFail(base(1), first.refresh_token);
  check(
    "the token has the same successor later",
    successors.size === 0 || successors.has(again.refresh_token),
  );
  const next = await refreshOrFail(base(2), again.refresh_token);
  check("the session is live", (await verify(base(3), next.access_token)) === 200);
}

/** Fault 43: concurrent refreshes of one token over several services. */
export async function runRaces(options: RaceOptions): Promise<Figures> {
  const { deployment, progress, random } = options;
  const figures: Record<string, string> = {};
  const sum: Counts = { refreshes: 0, conflicts: 0, unavailable: 0 };
  for (const latencyMs of options.latenciesMs) {
    for (const many of options.services) {
      const starting = Array.from({ length: many }, async () => await deployment.start(latencyMs));
      const services = await Promise.all(starting);
      const count: Counts = { refreshes: 0, conflicts: 0, unavailable: 0 };
      const since = performance.now();
      for (let round = 0; round < options.rounds; round++) {
        progress(`${many} services, up to ${latencyMs} ms: round ${round + 1} of ${options.rounds}`);
        await race(services, random, count);
      }
      figures[`refreshes/s, ${many} services, 0–${latencyMs} ms`] = perSecond(count.refreshes, since);
      for (const name of ["refreshes", "conflicts", "unavailable"] as const) sum[name] += count[name];
      await deployment.stopServices();
    }
  }
  const said = `${sum.refreshes}, of them 409: ${sum.conflicts}, 503: ${sum.unavailable}`;
  return { "parallel refreshes": said, ...figures };
}
