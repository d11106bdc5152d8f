import { connect } from "./client.ts";
import { storeError } from "./errors.ts";
import { Link, type LinkOptions } from "./link.ts";
import type { Target } from "./target.ts";

export interface LinkSource extends LinkOptions {
  readonly target: Target;
  readonly random: () => number;
  /** How long opening tries to connect. */
  readonly openTimeoutMs: number;
}

/** `disturbed` is told when a connection failed or another server took over: writes may have been lost with it. */
export async function openLink(source: LinkSource, disturbed: () => void = () => {}): Promise<Link> {
  const { target, random, openTimeoutMs, clock, description } = source;
  let disturbances = 0;
  const open = async () => {
    const over = new AbortController();
    let lastError: unknown = new Error(`no connection within ${openTimeoutMs} ms`);
    const onDisturbance = (error: unknown) => {
      if (error instanceof Error) lastError = error;
      disturbances++;
      disturbed();
    };
    const stop = clock.after(openTimeoutMs, () => over.abort(lastError), true);
    try {
      return await connect(target, { random, onDisturbance }, over.signal);
    } catch (error) {
      throw storeError(description, error);
    } finally {
      stop();
    }
  };
  return await Link.open(open, source, () => disturbances);
}
