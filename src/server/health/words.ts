/** A duration for people, such as `4 min`. It has one unit, two at most. */
export function durationWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** The same for a time that is left. It is rounded down, so that nothing lasts for less than it says. */
export function leftWords(ms: number): string {
  return durationWords(Math.floor(ms / 1_000) * 1_000);
}

/** The most names that a sentence has. */
const MAX_NAMES = 2;

/** `a`, `a and b`, or `a, b and 3 more`. */
export function listWords(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  if (more > 0) return `${names.slice(0, MAX_NAMES).join(", ")} and ${more} more`;
  return names.join(" and ");
}

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The error of a store without the name of the store. The description of a Redis store ends with its durability. */
export function withoutStoreName(error: string, description: string): string {
  return error.replaceAll(`${description.replace(/ \(.*\)$/, "")}: `, "");
}
