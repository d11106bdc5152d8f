import type { Draw } from "./draw.ts";

const SECOND = 1_000;

/** The live connections of a run. All processes with a guard serve them with the same options. */
export interface PlannedSockets {
  /** Clients that keep a WebSocket open. Two of them share a user. */
  readonly clients: number;
  readonly maxPerSubject: number;
  readonly firstTokenMs: number;
  readonly warnMs: number;
  readonly recheckMs: number;
  readonly recheckDegradedMs: number;
  readonly unconfirmedMs: number;
  readonly spreadMs: number;
  /** Whether the library of the server can stop reading from a socket. */
  readonly canPause: boolean;
}

/** Draws the options of the live connections. A quarter of the runs has none. */
export function drawSockets(draw: Draw): PlannedSockets {
  return {
    clients: draw.pick([0, 1, 2, 3]),
    maxPerSubject: draw.pick([1, 2, 100]),
    firstTokenMs: draw.pick([2, 10]) * SECOND,
    warnMs: draw.pick([5, 60]) * SECOND,
    recheckMs: draw.pick([20, 60, 300]) * SECOND,
    recheckDegradedMs: 5 * SECOND,
    unconfirmedMs: draw.pick([20, 60]) * SECOND,
    spreadMs: draw.pick([1, 10]) * SECOND,
    canPause: draw.chance(0.5),
  };
}
