import type { PlantedBug } from "./planted-bug.ts";

/** Returns the source with the bug. Throws when the text to change is not there exactly once. */
export function plant(source: string, { name, file, from, to }: PlantedBug): string {
  const count = source.split(from).length - 1;
  if (count !== 1) {
    throw new Error(
      `the planted bug "${name}" finds its text ${count} times in src/${file}; it must be there once`,
    );
  }
  return source.replace(from, () => to);
}
