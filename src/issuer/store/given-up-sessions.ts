import type { Store } from "../../stores/store.ts";

const MARKER = "sessions given up until";

/**
 * Records that every session up to now has ended, whether or not the store knows it. Without this record, an unexpired
 * refresh token of an unknown session means that the store has lost the session.
 */
export async function giveUpSessions({ markers }: Pick<Store, "markers">, now: number): Promise<void> {
  const wanted = String(now);
  let current = await markers.claim(MARKER, wanted);
  while (Number(current) < now) {
    await markers.replace(MARKER, current, wanted);
    current = (await markers.read(MARKER)) ?? wanted;
  }
}

/** Returns the time up to which every session has ended, epoch ms. Returns 0 when none was given up. */
export async function givenUpUntil({ markers }: Pick<Store, "markers">): Promise<number> {
  return Number((await markers.read(MARKER)) ?? 0);
}

const markerOf = (session: string) => `session given up ${session}`;

/** Records that one session has ended that the store does not know. An administrator says so, and the mark stays for ever. */
export async function giveUpSession({ markers }: Pick<Store, "markers">, session: string): Promise<void> {
  await markers.claim(markerOf(session), "given up");
}

/** Whether an administrator ended the session after the store had lost it. */
export async function isGivenUp({ markers }: Pick<Store, "markers">, session: string): Promise<boolean> {
  return (await markers.read(markerOf(session))) !== null;
}
