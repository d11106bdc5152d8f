import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { act, pickService, type ActionParts } from "./service-actions.ts";
import type { ClientParts } from "./session.ts";

const PAUSES = 15;

/** Ends sessions and users and rotates keys, in a process of the service as the command line does. */
export async function runAdministrator(
  context: ProcessContext,
  parts: ClientParts & ActionParts,
): Promise<void> {
  const { sleep, random } = context;
  const { plan, leaks } = parts;
  for (;;) {
    await sleep(PAUSES * plan.pauseMs * 2 * random());
    const service = pickService(parts, random);
    const victim = leaks.access[Math.floor(random() * leaks.access.length)];
    if (service === undefined) continue;
    const choice = random();
    const { issuer } = service;
    if (choice < 0.2) {
      // Twice in a row, the second key signs although no guard can have seen it.
      for (let times = random() < 0.5 ? 1 : 2; times > 0; times--) {
        await act(parts, context, "rotate keys", {}, async () => await issuer.keys.rotate());
      }
    }
    if (choice < 0.2 || victim === undefined) continue;
    if (choice < 0.7) {
      const { session, user } = victim;
      await act(
        parts,
        context,
        "end session",
        { session, user },
        async () => await issuer.endSession(session),
      );
    } else if (!victim.isStored) {
      const { user } = victim;
      await act(
        parts,
        context,
        "end subject",
        { user },
        async () => await issuer.revoke({ kind: "subject", id: user }),
      );
    }
  }
}
