import type { EndReason } from "../../stores/session-store.ts";
import type { IssuerBase } from "../issuer-base.ts";

/*
 * The record of a user and the sessions change one after the other. A failure in between leaves sessions with rights
 * that the record no longer has, and a later change cannot see the loss in the record. So a marker of the user says from
 * before the change that the sessions have to end, until they have ended.
 */

const NONE = "none";
/** Stays for ever, so that a removed user can be told from one whose record the store has lost. */
const REMOVED = "removed";
const markerOf = (subject: string) => `sessions-to-end ${subject}`;

/** The end of sessions that a change of the user owes. */
export interface PendingEnd {
  readonly reason: EndReason;
  /** Unique, so that a change that settles its own end does not settle that of another one. */
  readonly value: string;
}

/** Must resolve before the change of the record. It takes the place of an earlier pending end, because one end does for both. */
export async function markPendingEnd(
  { store: { markers }, entropy }: IssuerBase,
  subject: string,
  reason: EndReason,
): Promise<PendingEnd> {
  const value = `${reason} ${entropy.uuid()}`;
  for (;;) {
    const current = await markers.claim(markerOf(subject), value);
    if (current === value) return { reason, value };
    if ((await markers.replace(markerOf(subject), current, value)) === "replaced") return { reason, value };
  }
}

/** `null` when no end is owed. */
export async function findPendingEnd({ store }: IssuerBase, subject: string): Promise<PendingEnd | null> {
  const value = await store.markers.read(markerOf(subject));
  if (value === null || value === NONE || value === REMOVED) return null;
  const [reason] = value.split(" ");
  return { reason: reason as EndReason, value };
}

/** A newer pending end stays. */
export async function settlePendingEnd(
  { store }: IssuerBase,
  subject: string,
  { value }: PendingEnd,
): Promise<void> {
  await store.markers.replace(markerOf(subject), value, NONE);
}

/** Must resolve before the record of the user is removed, and after its sessions have ended. */
export async function markRemoved({ store: { markers } }: IssuerBase, subject: string): Promise<void> {
  for (;;) {
    const current = await markers.claim(markerOf(subject), REMOVED);
    if (current === REMOVED) return;
    if ((await markers.replace(markerOf(subject), current, REMOVED)) === "replaced") return;
  }
}

/** Whether an administrator removed the user. */
export async function isRemoved({ store }: IssuerBase, subject: string): Promise<boolean> {
  return (await store.markers.read(markerOf(subject))) === REMOVED;
}
