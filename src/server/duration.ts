const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

type Unit = keyof typeof unitMs;

/** Bounds of a duration, in milliseconds. */
export interface DurationBounds {
  readonly min: number;
  readonly max: number;
}

/**
 * Returns a parser of durations within `bounds`, in milliseconds. A duration is a whole number with a unit, such as `90s`,
 * `10m`, `8h` or `30d`. A number without a unit is refused, because it could mean seconds or milliseconds.
 */
export function parseDuration({ min, max }: DurationBounds): (text: string) => number | undefined {
  return (text) => {
    const [, digits, unit] = /^(\d{1,15})(ms|s|m|h|d)$/.exec(text) ?? [];
    if (digits === undefined) return undefined;
    const ms = Number(digits) * unitMs[unit as Unit];
    return ms >= min && ms <= max ? ms : undefined;
  };
}

/** Writes a duration in the largest unit that divides it, as `parseDuration` reads it. */
export function formatDuration(ms: number): string {
  const units: readonly Unit[] = ["d", "h", "m", "s"];
  const unit = units.find((one) => ms > 0 && ms % unitMs[one] === 0) ?? "ms";
  return `${ms / unitMs[unit]}${unit}`;
}

/** Completes the sentence "the setting must be …". */
export function durationForm({ min, max }: DurationBounds, example: string): string {
  return `a duration from ${formatDuration(min)} to ${formatDuration(max)}, such as ${example}`;
}
