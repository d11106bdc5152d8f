import { HoldfastError } from "../../core/errors.ts";
import type { MarkerStore } from "../../stores/store.ts";

/*
 * A marker of the store can list values that processes use, such as secrets. Each value has a time until which its
 * tokens and records matter. So a process knows the values of the others, and of those before it.
 */

export interface ValueInUse {
  readonly value: string;
  /** Epoch ms. */
  readonly until: number;
}

export async function readValuesInUse(markers: MarkerStore, marker: string): Promise<readonly ValueInUse[]> {
  return parseValues(marker, await markers.read(marker));
}

/** Puts what `change` returns in the place of the list. The change is computed again when another process was faster. */
export async function changeValuesInUse(
  markers: MarkerStore,
  marker: string,
  change: (values: readonly ValueInUse[]) => readonly ValueInUse[],
): Promise<void> {
  for (;;) {
    const text = await markers.read(marker);
    const before = parseValues(marker, text);
    const after = change(before);
    if (after === before) return;
    const wanted = JSON.stringify(after);
    if (text === null) {
      if ((await markers.claim(marker, wanted)) === wanted) return;
    } else if ((await markers.replace(marker, text, wanted)) === "replaced") return;
  }
}

/** Returns the list with `value`, which is in use until `until` at least, and without values that are over. */
export function withValue(
  values: readonly ValueInUse[],
  { value, until }: ValueInUse,
  now: number,
): readonly ValueInUse[] {
  const known = values.find((one) => one.value === value);
  const others = values.filter((one) => one.value !== value && one.until > now);
  return [...others, { value, until: Math.max(until, known?.until ?? 0) }];
}

function parseValues(marker: string, text: string | null): readonly ValueInUse[] {
  if (text === null) return [];
  try {
    const values = JSON.parse(text) as readonly ValueInUse[];
    if (values.every(({ value, until }) => typeof value === "string" && typeof until === "number"))
      return values;
  } catch {
    // The text is damaged, like a list with other members.
  }
  throw new HoldfastError("store_corrupt", `the marker "${marker}" of the store is damaged`);
}
