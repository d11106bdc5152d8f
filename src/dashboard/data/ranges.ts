/** The times that charts can show, and the time of a point. The last range has a row a minute, the others a row a second. */
export const ranges = [
  { label: "5 min", ms: 300_000, stepMs: 1_000 },
  { label: "15 min", ms: 900_000, stepMs: 5_000 },
  { label: "1 h", ms: 3_600_000, stepMs: 15_000 },
  { label: "24 h", ms: 86_400_000, stepMs: 300_000 },
] as const;

export type Range = (typeof ranges)[number];
