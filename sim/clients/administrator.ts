import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { act, pickService, type ActionParts } from "./service-actions.ts";
import type { ClientParts } from "./session.ts";

const PAUSES = 15;
const ROTATION_SHARE = 0.2;
/** Of the other actions, the share that ends one session. The rest ends all sessions of a user. */
const END_SHARE = 0.625;
/** The same of an administrator who mostly rotates keys. */
const OFTEN = { pauses: 5, share: 0.8 } as const;

/** Ends sessions and users and rotates keys, in a process of the service as the command line does. */
export async function runAdministrator(
  context: ProcessContext,
  parts: ClientParts & ActionParts,
): Promise<void> {
  const { sleep, random } = context;
  const { plan, leaks } = parts;
  const pauses = plan.rotatesOften ? OFTEN.pauses : PAUSES;
  const rotationShare = plan.rotatesOften ? OFTEN.share : ROTATION_SHARE;
  for (;;) {
    await sleep(pauses * plan.pauseMs * 2 * random());
    const service = pickService(parts, random);
    const victim = leaks.access[Math.floor(random() * leaks.access.length)];
    if (service === undefined) continue;
    const choice = random();
    const { issuer } = service;
    if (choice < rotationShare) {
      // Twice in a row, the second key signs although no guard can have seen it.
      for (let times = random() < 0.5 ? 1 : 2; times > 0; times--) {
        await act(parts, context, "rotate keys", {}, async () => await issuer.keys.rotate());
      }
    }
    if (choice < rotationShare || victim === undefined) continue;
    if (choice < rotationShare + (1 - rotationShare) * END_SHARE) {
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
