import { within } from "./platform.ts";
import { CLOCK_TOLERANCE_MS } from "./timing.ts";
import type { AuthClientOptions, AuthRecord, AuthState, AuthStorage, Trouble } from "./types.ts";

/** The session of one page: its options, its copy of the record, and its state. */
export interface Session extends Pick<
  Required<AuthClientOptions>,
  "bufferMs" | "timeoutMs" | "lockWaitMs" | "fetch" | "clock" | "random"
> {
  /** The name of the record, of the locks and of the channel. */
  readonly name: string;
  /** The URL of the endpoints, with a slash at its end. */
  readonly authUrl: string;
  readonly hasCookies: boolean;
  /** `undefined` when the record stays in this page. */
  readonly storage: AuthStorage | undefined;
  /** Whether the record has been in the storage. */
  wasStored?: boolean;
  /** The monotonic time before which the storage is not asked. */
  storageRetryAt: number;
  record: AuthRecord;
  /** The monotonic time at which the access token of the record was new. */
  newAt: number;
  state: AuthState;
  ready: Promise<unknown>;
  /**
   * Called after each change of the state. The argument is `true` when the page becomes visible, comes back or is online
   * again. It is `false` when the client closes.
   */
  readonly listeners: Set<(isAwake?: boolean) => void>;
  /** The refresh that all calls of this page join. */
  running?: Promise<AuthRecord> | undefined;
  /** `null` unless the last refresh failed. */
  trouble: Trouble | null;
  /** The monotonic time before which no refresh is sent. */
  retryAt: number;
  /** Sends each new record to the other pages, whose storage may have failed. */
  channel?: (BroadcastChannel & { unref?: () => void }) | undefined;
  /** Whether a URL may receive the access token. */
  isListed(url: URL): boolean;
}

/**
 * The life that the access token has left, in milliseconds. Its age is the larger of wall and monotonic elapsed time. A
 * suspended device stops the monotonic clock, and the wall clock can be set back.
 */
const left = ({ clock, record, newAt }: Session) => {
  const age = clock.now() - record.at;
  return age < -CLOCK_TOLERANCE_MS ? -Infinity : record.life - Math.max(age, clock.monotonic() - newAt);
};

/** Whether a server accepts the token long enough for a request. */
export const isUsable = (session: Session, minLifeMs = 0): boolean =>
  left(session) > Math.max(minLifeMs, Math.min(5_000, session.record.life / 10));

/** The time until the token should be refreshed, in milliseconds. */
export const dueInMs = (session: Session): number =>
  left(session) - Math.min(session.bufferMs, session.record.life / 5);

/** Runs `work` under a Web Lock. In cookie mode there is one, because each answer sets or clears the same cookies. */
export const locked = async <T>(session: Session, suffix: string, work: () => Promise<T>): Promise<T> => {
  const { name } = session;
  let working: Promise<T> | undefined;
  const run = async () => await (working ??= work());
  const locks = navigator.locks as LockManager | undefined;
  const request = locks?.request(session.hasCookies ? name : name + suffix, run) as Promise<unknown>;
  // A request that gets the lock later finds the work done. A page that steals the lock makes the request fail.
  await within(session, session.lockWaitMs, request).catch(() => undefined);
  return await run();
};
