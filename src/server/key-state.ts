import { elapsedTime } from "./elapsed-time.ts";

/** Describes the state of a signing key. */
export function keyState(key: { activatedAt: number | null; retiredAt: number | null }, now: number): string {
  if (key.retiredAt !== null) return `retired ${elapsedTime(now - key.retiredAt)} ago`;
  return key.activatedAt === null ? "published, signs next" : "signs";
}
