/** Numbers as an operator reads them. */

/** A latency with three digits at most: `4 µs`, `1.2 ms`, `2.5 s`. */
export function latency(ms: number | null): string {
  if (ms === null) return "–";
  if (ms < 0.9995) return `${short(ms * 1000)} µs`;
  return ms < 999.5 ? `${short(ms)} ms` : `${short(ms / 1000)} s`;
}

/** Requests per second: `0 /s`, `0.3 /s`, `1,240 /s`. */
export function rate(perSecond: number | null): string {
  return perSecond === null ? "–" : `${short(perSecond)} /s`;
}

export function bytes(size: number | null): string {
  if (size === null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [size, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${short(value)} ${units[unit]}`;
}

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A number with three digits that count. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return grouped.format(value);
  if (size >= 9.995) return trimZeros(value.toFixed(1));
  return size < 0.005 ? "0" : trimZeros(value.toFixed(2));
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

export function percent(share: number | null): string {
  return share === null ? "–" : `${short(share * 100)} %`;
}

/** A whole number with separators: `12,000`. */
export function whole(value: number): string {
  return grouped.format(value);
}

/** A code such as `store_rolled_back`, as words. */
export function words(code: string): string {
  return code.replaceAll(/[_-]/g, " ");
}
