import { LISTENER_TOKEN_HEADER, STREAM_SILENCE_MS, type StreamMessages } from "../wire.ts";
import { readEvents } from "./server-sent-events.ts";

/** The state of the stream of the page. */
export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** `since` is when the last message came. The page tries again at `retryAt`. */
  | {
      readonly state: "lost";
      readonly since: number;
      readonly retryAt: number;
      readonly reason: string;
    }
  /** The listener needs its token. `refused`: the given one is wrong. */
  | { readonly state: "token-needed"; readonly refused: boolean };

interface StreamOptions {
  readonly onMessage: <Name extends keyof StreamMessages>(
    name: Name,
    data: StreamMessages[Name],
  ) => Promise<void>;
  readonly onLink: (link: Link) => void;
  /** The token of the listener. `null` without one. */
  readonly listenerToken: () => string | null;
}

const LIVE: Link = { state: "live" };
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;

/** Follows `/events`, and connects again when the stream is lost. Returns the function that ends it. */
export function followStream({ onMessage, onLink, listenerToken }: StreamOptions): () => void {
  const ended = new AbortController();
  let lastId: string | null = null;
  let lastAt = Date.now();
  let failures = 0;

  const connectOnce = async (): Promise<Link> => {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), STREAM_SILENCE_MS * 2);
    try {
      const token = listenerToken();
      const response = await fetch("/events", {
        headers: {
          ...(token !== null && { [LISTENER_TOKEN_HEADER]: token }),
          ...(lastId !== null && { "Last-Event-ID": lastId }),
        },
        cache: "no-store",
        signal: AbortSignal.any([ended.signal, silence.signal]),
      });
      if (response.status === 401) return { state: "token-needed", refused: token !== null };
      if (!response.ok || response.body === null) return lost(await describeRefusal(response));
      for await (const { event, data, id } of readEvents(response.body)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), STREAM_SILENCE_MS);
        await onMessage(event as keyof StreamMessages, JSON.parse(data) as never);
        lastId = id ?? lastId;
        lastAt = Date.now();
        failures = 0;
        onLink(LIVE);
      }
      return lost("The service ended the stream.");
    } catch {
      return lost(silence.signal.aborted ? "No message came." : "The service does not answer.");
    } finally {
      clearTimeout(timer);
    }
  };

  const lost = (reason: string): Link => {
    // Clients that lost one service must not all come back in the same moment.
    const waitMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures) * (0.75 + Math.random() / 2);
    failures += 1;
    return { state: "lost", since: lastAt, retryAt: Date.now() + waitMs, reason };
  };

  const run = async () => {
    onLink({ state: "connecting" });
    while (!ended.signal.aborted) {
      const link = await connectOnce();
      if (ended.signal.aborted) return;
      onLink(link);
      if (link.state !== "lost") return;
      await pause(link.retryAt - Date.now(), ended.signal);
    }
  };
  void run();
  return () => ended.abort();
}

async function describeRefusal(response: Response): Promise<string> {
  const { error_description: text } = (await response.json().catch(() => ({}))) as {
    error_description?: string;
  };
  return text ?? `The service answers ${response.status}.`;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, ms));
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
