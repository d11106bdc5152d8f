/** Numbers and times as an operator reads them. */

/** `12 s`, `4 min`, `2 h 5 min`, `3 days`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "unknown";
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (ms > 0 && ms < 1000) return `${Math.round(ms)} ms`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10 && seconds % 60 !== 0) return `${minutes} min ${seconds % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

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

/** The time of day, in the reader's zone. */
export function clockTime(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** The reader's zone as its distance from UTC: `UTC`, `UTC+1`, `UTC+5:30`. */
export function zone(at: number): string {
  const minutes = -new Date(at).getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const rest = Math.abs(minutes) % 60;
  const hours = Math.floor(Math.abs(minutes) / 60);
  return `UTC${minutes < 0 ? "-" : "+"}${hours}${rest === 0 ? "" : `:${String(rest).padStart(2, "0")}`}`;
}

/** `4 min ago`, or `in 4 min`. */
export function relative(at: number, now: number): string {
  if (Math.abs(at - now) < 1000) return "now";
  return at > now ? `in ${duration(at - now)}` : `${duration(now - at)} ago`;
}

export function percent(share: number | null): string {
  return share === null ? "–" : `${short(share * 100)} %`;
}

/** A whole number with separators: `12,000`. */
export function whole(value: number): string {
  return grouped.format(value);
}

/** Date and time, in the reader's zone. */
export function dateTime(at: number): string {
  const date = new Date(at);
  const pad = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clockTime(at)}`;
}

/** A code such as `store_rolled_back`, as words. */
export function words(code: string): string {
  return code.replaceAll(/[_-]/g, " ");
}
