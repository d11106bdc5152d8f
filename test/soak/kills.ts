import { verify } from "../support/auth-calls.ts";
import { assertOneSuccessor, runKillRounds } from "../support/kill-rounds.ts";
import { check, type Figures, type SoakContext } from "./context.ts";

export interface KillOptions extends SoakContext {
  readonly rounds: number;
}

const SESSIONS = 8;

/** Fault 40: kills services at random points, and the store if it has a process. */
export async function runKills({ deployment, progress, random, rounds }: KillOptions): Promise<Figures> {
  const { service, clients, lost } = await runKillRounds({
    start: async () => await deployment.start(),
    store: deployment.redis ?? undefined,
    sessions: SESSIONS,
    rounds,
    random,
    onRound: (round) => progress(`kill ${round + 1} of ${rounds}`),
  });
  for (const client of clients) {
    check("the session is live", (await verify(service.url, client.tokens.access_token)) === 200);
    await assertOneSuccessor(service.url, client);
  }
  await deployment.stopServices();
  return { kills: `${rounds}; answers lost to them: ${lost} of ${rounds * SESSIONS}; sessions lost: 0` };
}
