import type { World } from "../../src/testing/simulation/index.ts";
import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import type { Deployment } from "../deployment.ts";
import type { ClientParts } from "./session.ts";

const PAUSES = 15;
/** An action of a service that has crashed never settles, so the administrator stops waiting. */
const PATIENCE_MS = 10_000;

/** Ends sessions and users and rotates keys, in a process of the service as the command line does. */
export async function runAdministrator(
  context: ProcessContext,
  {
    plan,
    recorder,
    leaks,
    deployment,
    world,
  }: ClientParts & { readonly deployment: Deployment; readonly world: World },
): Promise<void> {
  const { sleep, random } = context;
  for (;;) {
    await sleep(PAUSES * plan.pauseMs * 2 * random());
    const services = [...deployment.running].filter(
      ([name]) => world.processes.find((process) => process.name === name)?.isAlive === true,
    );
    const service = services[Math.floor(random() * services.length)]?.[1];
    const victim = leaks.access[Math.floor(random() * leaks.access.length)];
    if (service === undefined) continue;
    const choice = random();
    const { issuer } = service;
    const act = async (
      operation: "end session" | "end subject" | "rotate keys",
      data: Readonly<Record<string, unknown>>,
      action: () => Promise<unknown>,
    ) => {
      const answer = recorder.call(operation, data);
      const done = action().then(
        () => answer({ status: 204 }),
        (error: Error) => answer({ status: 503, error: error.message }),
      );
      await Promise.race([done, sleep(PATIENCE_MS)]);
    };
    if (choice < 0.2) {
      // Twice in a row, the second key signs although no guard can have seen it.
      for (let times = random() < 0.5 ? 1 : 2; times > 0; times--) {
        await act("rotate keys", {}, async () => await issuer.keys.rotate());
      }
    }
    if (choice < 0.2 || victim === undefined) continue;
    if (choice < 0.7) {
      const { session, user } = victim;
      await act("end session", { session, user }, async () => await issuer.endSession(session));
    } else {
      const { user } = victim;
      await act("end subject", { user }, async () => await issuer.revoke({ kind: "subject", id: user }));
    }
  }
}
