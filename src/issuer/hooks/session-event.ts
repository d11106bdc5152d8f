import type { EndReason } from "../../stores/session-store.ts";

interface EventFacts {
  /** Epoch milliseconds. */
  readonly at: number;
  /** The address that the request came from. `null` when no request caused the event, or its address is unknown. */
  readonly source: string | null;
}

/** What `onEvent` is told. No event contains a token, a password or a secret. */
export type SessionEvent = EventFacts &
  (
    | {
        /** A spent refresh token came back, which is a sign of theft. The session has ended. */
        readonly type: "refresh_reuse";
        readonly subject: string;
        readonly session: string;
      }
    | {
        /** A login whose device no other live session of the user has. */
        readonly type: "new_device";
        readonly subject: string;
        readonly session: string;
        /** The description of the device, such as a `User-Agent`. `null` when the request had none. */
        readonly device: string | null;
        /** How many live sessions the user had before. 0 at the first login, and after a logout everywhere. */
        readonly otherSessions: number;
      }
    | {
        /** A session ended before its time. A session that expires causes no event. */
        readonly type: "session_ended";
        readonly subject: string;
        readonly session: string;
        readonly reason: EndReason;
      }
    | {
        /** All sessions of a user ended. */
        readonly type: "subject_ended";
        readonly subject: string;
        readonly reason: EndReason;
        /** How many sessions were live. */
        readonly sessions: number;
      }
    | {
        /** The first refusal of a login because of too many attempts, in each window of the limit. */
        readonly type: "login_limited";
      }
  );

/**
 * Is told what happens to sessions, for example to send a mail to the user. The issuer never waits for it. `signal`
 * aborts after 10 seconds, when the issuer no longer counts the call as under way.
 *
 * @example
 * ```ts
 * import type { OnEvent } from "holdfast/issuer";
 *
 * declare function mail(user: string, text: string): Promise<void>;
 *
 * export const onEvent: OnEvent = async (event) => {
 *   if (event.type === "refresh_reuse") await mail(event.subject, "Somebody used a copy of your session.");
 *   if (event.type === "new_device" && event.otherSessions > 0) {
 *     await mail(event.subject, `New login from ${event.device ?? "an unknown device"}`);
 *   }
 * };
 * ```
 */
export type OnEvent = (event: SessionEvent, call: { readonly signal: AbortSignal }) => unknown;
