import { useEffect, useRef, useState } from "preact/hooks";

/** The state of a request. The last answer stays while the next one is under way. */
export interface Answer<T> {
  readonly value: T | null;
  readonly problem: string | null;
  readonly isBusy: boolean;
  readonly reload: () => void;
}

/** Asks when `key` changes. A `null` key asks nothing. An answer that comes after another question is left out. */
export function useAnswer<T>(key: string | null, ask: () => Promise<T>): Answer<T> {
  const [state, setState] = useState<Omit<Answer<T>, "reload">>({
    value: null,
    problem: null,
    isBusy: false,
  });
  const [attempt, setAttempt] = useState(0);
  const current = useRef(0);
  useEffect(() => {
    const own = ++current.current;
    if (key === null) {
      setState({ value: null, problem: null, isBusy: false });
      return;
    }
    setState((before) => ({ ...before, isBusy: true }));
    const settle = (next: Omit<Answer<T>, "reload">) => {
      if (current.current === own) setState(next);
    };
    ask().then(
      (value) => settle({ value, problem: null, isBusy: false }),
      (error: unknown) => settle({ value: null, problem: describe(error), isBusy: false }),
    );
  }, [key, attempt]);
  return { ...state, reload: () => setAttempt((count) => count + 1) };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : "The service does not answer.";
}
