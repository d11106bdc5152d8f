import {
  ABNORMAL,
  CONNECTING,
  FINAL,
  INVALID_TOKEN,
  OTHER_SUBJECT,
  TOKEN_EXPIRED,
  TOKEN_REVOKED,
} from "./close-codes.ts";
import type { Unavailable } from "./errors.ts";
import { refuseUnknown } from "./origins.ts";
import { createTimer, isOffline, parseObject } from "./platform.ts";
import { obtain, refresh } from "./refresh.ts";
import type { Session } from "./session.ts";
import { ANSWER_MS, BACK_OFF_MS, PAUSE_MS } from "./timing.ts";
import type { AuthRecord, AuthSocket, ConnectOptions } from "./types.ts";

/** A message of the protocol, or the reason of a close frame. */
interface ServerMessage {
  readonly type?: string;
  readonly error?: string;
  /** Seconds. */
  readonly retry_after?: number;
}

type Data = Parameters<AuthSocket["send"]>[0];

/** The part of a socket that the application sees. */
interface Line {
  state: AuthSocket["state"];
  /** Opens a connection that presents the token. */
  readonly dial: (token: string, present: () => void) => WebSocket;
  readonly onMessage: ConnectOptions["onMessage"];
  readonly onOpen: () => void;
  readonly onLost: ConnectOptions["onLost"];
  readonly end: (code?: number, error?: string) => void;
  /** Ends the socket when its user has logged out, or another one has logged in. */
  readonly check: () => void;
}

/** Keeps a line connected. Returns functions that present the token again, leave the connection, and send. */
const keepConnected = (session: Session, line: Line) => {
  const { hasCookies, clock } = session;
  const setTimer = createTimer(clock);
  let socket: WebSocket | undefined;
  let presented: AuthRecord;
  let tries = 0;
  /** 1 when the next attempt needs another token than the presented one, and 2 when it was presented. */
  let fresh = 0;

  const wake = () => void present();

  /** Presents the token again. A device that is offline wakes the connection when it is online. */
  const later = (ms = session.random() * Math.min(PAUSE_MS, BACK_OFF_MS * 2 ** ++tries)) =>
    isOffline() ? setTimer() : setTimer(ms, wake);

  const leave = () => {
    setTimer();
    socket?.close(1000);
    socket = undefined;
  };

  const lost = (code: number, { error, retry_after: seconds }: ServerMessage = {}) => {
    const isAboutToken = code === TOKEN_EXPIRED || code === INVALID_TOKEN || code === TOKEN_REVOKED;
    const needsFresh = (isAboutToken || (code === ABNORMAL && line.state !== "open")) && fresh < 2;
    if (code >= FINAL && !needsFresh) return line.end(code, error);
    if (needsFresh) fresh = 1;
    leave();
    later(seconds && seconds * 1000);
    if (line.state === "open") {
      line.state = "waiting";
      line.onLost?.(code);
    }
  };

  const receive = (data: string & Partial<Data>) => {
    // A binary message is not a string.
    if (!data.startsWith?.('{"type":"auth.')) return line.onMessage?.(data);
    const { type, retry_after: seconds } = parseObject(data) as ServerMessage;
    if (seconds !== undefined) return later(seconds * 1000);
    setTimer();
    if (type === "auth.ok") {
      tries = fresh = 0;
      line.onOpen();
    } else if (fresh < 2) {
      // The token expires soon, or was refused.
      fresh = 1;
      wake();
    }
  };

  /** Sends the token over the open connection, or with a new one. A server that does not answer is gone. */
  const present = async (): Promise<void> => {
    const current = socket;
    const isWanted = fresh === 1;
    // A page also wakes while it connects. The handshake brings the token, and nothing can be sent yet.
    if (current?.readyState === CONNECTING) return;
    setTimer();
    try {
      const record = await (isWanted ? refresh(session, presented) : obtain(session));
      line.check();
      if (line.state === "ended" || current !== socket) return;
      presented = record;
      if (isWanted) fresh = 2;
      // No script can read the cookie, so the handshake of a new connection brings it.
      if (current && hasCookies) return isWanted ? lost(TOKEN_EXPIRED, { retry_after: 0 }) : undefined;
      setTimer(ANSWER_MS, () => lost(ABNORMAL));
      const sendToken = () => socket?.send(JSON.stringify({ type: "auth.token", token: record.access }));
      if (current) return sendToken();
      socket = line.dial(record.access, sendToken);
      socket.onmessage = ({ data }) => receive(data);
      socket.onclose = ({ target, code, reason }) => target === socket && lost(code, parseObject(reason));
    } catch (error) {
      const { retryAfterMs } = error as Partial<Unavailable>;
      if (retryAfterMs) later(retryAfterMs);
      else line.end();
    }
  };

  return [wake, leave, (data: Data) => socket?.send(data)] as const;
};

/** Keeps one WebSocket open, by the protocol of docs/websockets/index.md. */
export const openSocket = (
  session: Session,
  url: URL,
  {
    onMessage,
    onOpen,
    onLost,
    onEnd,
    protocols = ["holdfast"],
    firstMessage,
    binaryType = "blob",
    maxQueue = 100,
    ...unknown
  }: ConnectOptions = {},
): AuthSocket => {
  refuseUnknown("connect: option", unknown);
  const queue: Data[] = [];
  let { sub } = session.record;

  const line: Line & AuthSocket = {
    state: "waiting",
    onMessage,
    onOpen: () => {
      if (line.state === "open") return;
      line.state = "open";
      queue.splice(0).forEach(send);
      onOpen?.();
    },
    onLost,
    end: (code = 1000, error = "") => {
      if (line.state === "ended") return;
      line.state = "ended";
      leave();
      session.listeners.delete(follow);
      onEnd?.({ code, error });
    },
    check: () => {
      // The page may not have read its record when it connected.
      sub ||= session.record.sub;
      if (session.state.status === "out") line.end();
      else if (session.record.sub !== sub) line.end(OTHER_SUBJECT, "other_subject");
    },
    // The token is a subprotocol, as in Kubernetes, because a browser cannot send a header.
    dial: (token, present) => {
      // The characters of a JWT give no `+` and no `/`, in which base64 differs from base64url.
      const encoded = btoa(token).replaceAll("=", "");
      const inHandshake =
        firstMessage || session.hasCookies ? [] : [`base64url.bearer.authorization.k8s.io.${encoded}`];
      const socket = new WebSocket(url, [...protocols, ...inHandshake]);
      socket.binaryType = binaryType;
      if (firstMessage) socket.onopen = present;
      return socket;
    },
    send(data) {
      if (line.state === "open") send(data);
      else if (line.state === "ended" || queue.length >= maxQueue) return false;
      else queue.push(data);
      return true;
    },
    close: () => line.end(),
  };
  const [wake, leave, send] = keepConnected(session, line);
  const follow = (isAwake?: boolean) => {
    if (isAwake === undefined) line.check();
    else if (isAwake) wake();
    else line.end();
  };
  session.listeners.add(follow);
  wake();
  return line;
};
