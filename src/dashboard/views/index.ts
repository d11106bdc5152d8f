import type { FunctionComponent } from "preact";
import type { RoutePath } from "../data/routes.ts";
import { Audit } from "./audit.tsx";
import { Sessions } from "./sessions.tsx";
import { Settings } from "./settings.tsx";
import { Connections } from "./connections.tsx";
import { Keys } from "./keys.tsx";
import { Now } from "./now.tsx";
import { Refreshes } from "./refreshes.tsx";
import { Stores } from "./stores.tsx";
import { Timeline } from "./timeline.tsx";
import { Token } from "./token.tsx";
import { Traffic } from "./traffic.tsx";

export const views: Readonly<Record<RoutePath, FunctionComponent>> = {
  now: Now,
  timeline: Timeline,
  traffic: Traffic,
  keys: Keys,
  sessions: Sessions,
  refreshes: Refreshes,
  connections: Connections,
  stores: Stores,
  audit: Audit,
  token: Token,
  settings: Settings,
};
