import { useEffect, useState } from "preact/hooks";

type Listener = (at: number | null) => void;

const listeners = new Set<Listener>();

/** The instant under the pointer, in epoch ms. `null` when it is on no chart. All charts show their values at it. */
export function publishHover(at: number | null): void {
  for (const listener of listeners) listener(at);
}

export function useHover(): number | null {
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => {
    listeners.add(setAt);
    return () => listeners.delete(setAt);
  }, []);
  return at;
}
