import type { ProcessContext, World } from "../../src/testing/simulation/index.ts";
import type { Deployment } from "../deployment.ts";
import type { Operation, Recorder } from "../recorder.ts";

/** An action of a service that has crashed never settles, so the administrator stops waiting. */
const PATIENCE_MS = 10_000;

/** The processes in which administrators act. */
export interface ActionParts {
  readonly recorder: Recorder;
  readonly deployment: Deployment;
  readonly world: World;
}

/** Returns one of the services that run now. `undefined` when none does. */
export function pickService(
  { deployment, world }: ActionParts,
  random: () => number,
): { readonly issuer: ServiceIssuer } | undefined {
  const services = [...deployment.running].filter(
    ([name]) => world.processes.find((process) => process.name === name)?.isAlive === true,
  );
  return services[Math.floor(random() * services.length)]?.[1];
}

type ServiceIssuer =
  Deployment["running"] extends ReadonlyMap<string, infer S>
    ? S extends { readonly issuer: infer I }
      ? I
      : never
    : never;

/** Acts in a process of the service, as the command line does, and records it. Returns whether it was confirmed. */
export async function act(
  { recorder }: ActionParts,
  { sleep }: ProcessContext,
  operation: Operation,
  data: Readonly<Record<string, unknown>>,
  action: () => Promise<unknown>,
): Promise<boolean> {
  const answer = recorder.call(operation, data);
  const done = action().then(
    (result) => {
      // A store that has lost a user does not know the user, and nothing has changed then.
      const isDone = result !== "unknown";
      answer({ status: isDone ? 204 : 404 });
      return isDone;
    },
    (error: Error) => {
      answer({ status: 503, error: error.message });
      return false;
    },
  );
  return await Promise.race([done, sleep(PATIENCE_MS).then(() => false)]);
}
