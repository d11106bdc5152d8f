import { verify } from "../support/auth-calls.ts";
import { hasOneSuccessor, killRounds } from "../support/kill-rounds.ts";
import { keep, type Figures, type Part } from "./part.ts";

export interface Kills extends Part {
  readonly rounds: number;
}

const SESSIONS = 8;

/** Fault 40: services, and the store where it is a process, are killed at random points. */
export async function kills({ place, progress, random, rounds }: Kills): Promise<Figures> {
  const { service, clients, lost } = await killRounds({
    start: async () => await place.start(),
    store: place.store,
    sessions: SESSIONS,
    rounds,
    random,
    onRound: (round) => progress(`kill ${round + 1} of ${rounds}`),
  });
  for (const client of clients) {
    keep("a session that is alive", (await verify(service.url, client.tokens.access_token)) === 200);
    await hasOneSuccessor(service.url, client);
  }
  await place.stopServices();
  return { kills: `${rounds}; answers lost to them: ${lost} of ${rounds * SESSIONS}; sessions lost: 0` };
}
