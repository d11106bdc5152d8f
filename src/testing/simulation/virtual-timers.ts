/** The signal of a pending timer of `node:timers/promises`. */
interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** The platform's timers, as functions that begin a timer and return the function that ends it. */
export interface TimerSource {
  readonly after: (ms: number, fn: () => void) => () => void;
  /** The next turn of the event loop. */
  readonly turn: (fn: () => void) => () => void;
}

type TimerFunction = (...args: unknown[]) => void;

/** The members of `globalThis`, `node:timers/promises` and `AbortSignal` that begin or end a timer. */
export function virtualTimers(source: TimerSource): {
  readonly global: Readonly<Record<string, unknown>>;
  readonly promises: Readonly<Record<string, unknown>>;
  readonly scheduler: Readonly<Record<string, unknown>>;
  readonly abortSignal: Readonly<Record<string, unknown>>;
} {
  const setTimeout = (fn: TimerFunction, ms = 1, ...args: unknown[]) =>
    new VirtualTimer(
      (callback) => source.after(ms, callback),
      () => fn(...args),
      false,
    );
  const setInterval = (fn: TimerFunction, ms = 1, ...args: unknown[]) =>
    new VirtualTimer(
      (callback) => source.after(ms, callback),
      () => fn(...args),
      true,
    );
  const setImmediate = (fn: TimerFunction, ...args: unknown[]) =>
    new VirtualTimer(
      (callback) => source.turn(callback),
      () => fn(...args),
      false,
    );
  // A program may end a timer that began before the run.
  const orReal = (clear: (timer: never) => void) => (timer: unknown) => {
    if (timer instanceof VirtualTimer) timer.close();
    else clear(timer as never);
  };
  const promises = virtualTimerPromises(setTimeout, setInterval, setImmediate);
  return {
    global: {
      setTimeout,
      setInterval,
      setImmediate,
      clearTimeout: orReal(clearTimeout),
      clearInterval: orReal(clearInterval),
      clearImmediate: orReal(clearImmediate),
    },
    promises,
    scheduler: {
      wait: async (ms?: number, options?: Abortable) =>
        void (await promises.setTimeout(ms, undefined, options)),
      yield: async () => void (await promises.setImmediate()),
    },
    abortSignal: {
      timeout: (ms: number) => {
        const controller = new AbortController();
        source.after(ms, () => controller.abort(timeoutError()));
        return controller.signal;
      },
    },
  };
}

function virtualTimerPromises(
  setTimeout: (fn: TimerFunction, ms?: number) => VirtualTimer,
  setInterval: (fn: TimerFunction, ms?: number) => VirtualTimer,
  setImmediate: (fn: TimerFunction) => VirtualTimer,
) {
  const settle = async (begin: (fn: () => void) => VirtualTimer, value: unknown, { signal }: Abortable) =>
    await new Promise<unknown>((resolve, reject) => {
      if (signal?.aborted === true) return reject(abortError(signal));
      const abort = () => {
        timer.close();
        if (signal !== undefined) reject(abortError(signal));
      };
      const timer = begin(() => {
        signal?.removeEventListener("abort", abort);
        resolve(value);
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  return {
    setTimeout: async (ms?: number, value?: unknown, options: Abortable = {}) =>
      await settle((fn) => setTimeout(fn, ms), value, options),
    setImmediate: async (value?: unknown, options: Abortable = {}) =>
      await settle(setImmediate, value, options),
    /** As in Node, a consumer that is late gets every tick that it missed. */
    setInterval: async function* (ms?: number, value?: unknown, { signal }: Abortable = {}) {
      let due = 0;
      let wake: () => void = () => undefined;
      rejectAborted(signal);
      const abort = () => wake();
      signal?.addEventListener("abort", abort, { once: true });
      const timer = setInterval(() => {
        due++;
        wake();
      }, ms);
      try {
        for (;;) {
          rejectAborted(signal);
          if (due === 0) await new Promise<void>((resolve) => (wake = resolve));
          for (; due > 0; due--) yield value;
        }
      } finally {
        timer.close();
        signal?.removeEventListener("abort", abort);
      }
    },
  };
}

function rejectAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** The error of a signal whose time is over. Its stack has no frame of the program, and takes long to capture. */
function timeoutError(): DOMException {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = new DOMException("The operation was aborted due to timeout", "TimeoutError");
  Error.stackTraceLimit = depth;
  return error;
}

/** The error of Node for an aborted timer. */
function abortError(signal: AbortSignal): Error {
  const error = new Error("The operation was aborted", { cause: signal.reason });
  return Object.assign(error, { name: "AbortError", code: "ABORT_ERR" });
}

/** The object that `setTimeout` returns in Node. */
class VirtualTimer {
  readonly #start: (callback: () => void) => () => void;
  readonly #fn: () => void;
  readonly #isRepeated: boolean;
  #stop: () => void;

  constructor(start: (callback: () => void) => () => void, fn: () => void, isRepeated: boolean) {
    this.#start = start;
    this.#fn = fn;
    this.#isRepeated = isRepeated;
    this.#stop = start(this.#fire);
  }

  readonly #fire = (): void => {
    if (this.#isRepeated) this.#stop = this.#start(this.#fire);
    this.#fn();
  };

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.#stop();
    this.#stop = this.#start(this.#fire);
    return this;
  }

  close(): this {
    this.#stop();
    return this;
  }
}
