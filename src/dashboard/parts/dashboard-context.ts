import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Api } from "../data/api.ts";
import type { Received } from "../data/dashboard-store.ts";
import type { Range } from "../data/ranges.ts";

/** The values that every view reads. */
export interface Dashboard {
  readonly received: Received;
  readonly api: Api;
  /** The time of the newest frame, in epoch ms. Ages count up to it, so that a lost stream shows no wrong age. */
  readonly now: number;
  /** Whether an administrator is signed in. */
  readonly subject: string | null;
  readonly askToSignIn: () => void;
  /** The time that charts show. It stays when the reader goes to another view. */
  readonly range: Range;
  readonly setRange: (range: Range) => void;
}

export const DashboardContext = createContext<Dashboard | null>(null);

export function useDashboard(): Dashboard {
  const dashboard = useContext(DashboardContext);
  if (dashboard === null) throw new Error("a view is outside of the dashboard");
  return dashboard;
}
