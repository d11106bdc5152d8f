import { breakerStates, frameFields, invalidReasons, issuerFields } from "../../src/dashboard/wire-fields.ts";
import type { Frame, Instance, Snapshot } from "../../src/dashboard/wire.ts";
import type { State } from "../../src/dashboard/wire-state.ts";
import { FrameHistory } from "../../src/server/dashboard/frame-history.ts";
import { ailingState } from "./fixed-ailing-state.ts";
import { fixedEvents } from "./fixed-events.ts";
import { AT, OWN, PROVIDER, wellState } from "./fixed-well-state.ts";

/** The states of a service that the tests show in every view. */
export type Situation = "well" | "ailing" | "empty";

export const situations: readonly Situation[] = ["well", "ailing", "empty"];

/** A frame of each situation has its own minute, so that a test sees on the page which one is shown. */
const minutes: Readonly<Record<Situation, number>> = { well: 0, ailing: 1, empty: 2 };

const instance: Instance = {
  id: "fixed",
  version: "1.2.3",
  runtime: "Node.js 24.1.0",
  host: "auth-1",
  pid: 4711,
  startedAt: AT - 2 * 86_400_000,
  url: OWN,
  audience: ["https://api.example", "https://other.example"],
  roles: ["issuer", "gateway"],
  canSignIn: true,
  canExplain: true,
};

/** A service without a provider and without traffic. */
const emptyState: State = {
  ...wellState,
  headline: { status: "ok", text: "All well", advice: null, part: null, since: null, runbook: null },
  outcomes: {},
  components: {},
  steps: [],
  upstreams: [],
  issuers: [],
  signingKeys: [],
  store: {
    description: "memory",
    up: true,
    problem: null,
    lastError: null,
    bytes: null,
    diskFreeBytes: null,
    lastBackupAt: null,
    clockDifferenceMs: 0,
    commands: [],
  },
  repeatDelays: { bounds: [1, 60], counts: [0, 0, 0] },
  connections: null,
  others: null,
};

const states: Readonly<Record<Situation, State>> = {
  well: wellState,
  ailing: ailingState,
  empty: emptyState,
};

/** The numbers of columns that stand for a state. Every other column has a number of its own. */
const stateColumns: Readonly<Record<string, readonly [well: number, ailing: number]>> = {
  "health.service": [0, 1],
  "health.login": [0, 2],
  "health.refresh": [0, 1],
  "health.ownTokens": [0, 0],
  "health.providerTokens": [0, 1],
  "health.store": [0, 2],
  "health.keys": [0, 0],
  "health.revocations": [0, 1],
  "health.guard": [0, 0],
  "health.clock": [0, 2],
  "health.provider": [0, 1],
  "issuer.0.state": [0, 0],
  "issuer.0.degraded": [0, 0],
  "issuer.1.state": [0, 1],
  "issuer.1.breaker": [0, breakerStates.indexOf("open")],
  "issuer.1.degraded": [0, 1],
};

const ROWS = 6;

/** The value of a column in a row before the last one. Rows that are not the last one are well. */
function valueOf(field: string, index: number, situation: Situation, row: number): number | null {
  const isLast = row >= ROWS - 2;
  const codes = stateColumns[field];
  if (codes !== undefined) return situation === "ailing" && isLast ? codes[1] : codes[0];
  if (/^issuer\.(?:0\.breaker|1\.revocation)/.test(field)) return null;
  if (situation === "ailing" && /^(?:from|verification|hashes)\./.test(field)) return null;
  if (situation === "ailing" && field.startsWith("invalid.")) return 0;
  return index + 1 + (situation === "ailing" ? 1_000 : 0) + row / 10;
}

/** The first message of a stream, with the same values in every run. */
export async function fixedSnapshot(situation: Situation): Promise<Snapshot> {
  const at = AT + minutes[situation] * 60_000;
  const isEmpty = situation === "empty";
  const issuers = isEmpty ? [] : [OWN, PROVIDER];
  const fields = [
    ...frameFields,
    ...invalidReasons.map((reason) => `invalid.${reason}PerS`),
    ...issuers.flatMap((_, index) => issuerFields.map((field) => `issuer.${index}.${field}`)),
  ];
  const row = (number: number) =>
    fields.map((field, index) => (isEmpty ? null : valueOf(field, index, situation, number)));
  const history = async (distanceMs: number) => {
    const rows = new FrameHistory(ROWS, fields.length);
    for (let number = isEmpty ? ROWS : 0; number < ROWS - 1; number++) {
      rows.push(at - (ROWS - 1 - number) * distanceMs, row(number));
    }
    return await rows.packAll();
  };
  const frame: Frame = { at, values: row(ROWS - 1), state: states[situation] };
  return {
    instance: {
      ...instance,
      canExplain: !isEmpty,
      canSignIn: !isEmpty,
      ...(isEmpty && { roles: ["gateway"], audience: ["https://api.example"] }),
    },
    fields,
    issuers,
    resumed: false,
    seconds: await history(20_000),
    minutes: await history(3_600_000),
    events: isEmpty ? [] : fixedEvents,
    frame,
  };
}
