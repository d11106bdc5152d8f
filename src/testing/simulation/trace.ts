/** Frames of a stack that a line of the trace shows. */
const MAX_PLACES = 4;
/** The stack of a program may begin below many frames of this package. */
const STACK_DEPTH = 40;

/** Frames of the two packages tell the reader of a trace nothing about the program. */
const hiddenPlaces: readonly string[] = [
  new URL(".", import.meta.url).href,
  "/node_modules/holdfast/",
  "/node_modules/holdfast-guard/",
];

/**
 * The places in the source that planned an event, the nearest first. Places of this package are left out. Before and
 * between runs only the nearest counts: its callers are those of the world, which differ between two runs of one seed.
 */
export function planningPlaces(isRunning: boolean): string {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_DEPTH;
  const frames = (new Error("planned here").stack ?? "").split("\n").slice(1);
  Error.stackTraceLimit = depth;
  const places = frames.flatMap((frame) => {
    if (hiddenPlaces.some((hidden) => frame.includes(hidden))) return [];
    return /([\w.-]+\.[cm]?[jt]sx?:\d+)/.exec(frame)?.[1] ?? [];
  });
  return places.slice(0, isRunning ? MAX_PLACES : 1).join(" < ");
}

/** A line of a trace: milliseconds since the world began, the process, what happened and where it was planned. */
export function traceLine(elapsedMs: number, process: string | undefined, what: string, places = ""): string {
  return `${elapsedMs.toFixed(3)} ${process ?? "world"} ${what} ${places}`.trimEnd();
}

/** The first line of an error, without its stack. */
export function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
