import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import type { Instance } from "../../dashboard/wire.ts";
import { isLocalPeer } from "../http/admin-access.ts";
import { addGetRoute } from "../http/get-route.ts";
import type { Service } from "../service.ts";
import type { Role } from "../setting-definitions.ts";
import { version } from "../version.ts";
import { EventStream, streamHeaders } from "./event-stream.ts";
import { Sampler, type SamplerOptions } from "./sampler.ts";

/** The parts of the process that the dashboard shows with the service. */
export interface DashboardOptions extends SamplerOptions {
  readonly roles: ReadonlySet<Role>;
}

/** The data of the dashboard. It is sampled from the start, because a page that opens later needs the history. */
export interface Dashboard {
  readonly addRoutes: (app: Hono) => void;
  /** Ends the streams and the sampling. */
  readonly close: () => void;
}

/** Starts the dashboard of this process. */
export function startDashboard(service: Service, { roles, ...options }: DashboardOptions): Dashboard {
  const sampler = new Sampler(service, options);
  const stream = new EventStream(sampler, describeInstance(service, roles));
  sampler.start();
  return {
    addRoutes(app) {
      addGetRoute(app, "/events", (c) => {
        // The stream of an answer without a body would never end.
        if (c.req.method === "HEAD") return new Response(null, { headers: streamHeaders });
        const bindings = c.env as Partial<HttpBindings> | undefined;
        return stream.open(c.req.header("last-event-id"), isLocalPeer(bindings));
      });
    },
    close() {
      stream.close();
      sampler.stop();
    },
  };
}

function describeInstance(service: Service, roles: ReadonlySet<Role>): (isLocal: boolean) => Instance {
  const about = {
    id: randomBytes(9).toString("base64url"),
    version,
    runtime: `node ${process.versions.node}`,
    host: hostname(),
    pid: process.pid,
    startedAt: Math.round(Date.now() - process.uptime() * 1_000),
    url: service.url,
    audience: [service.audience].flat(),
    roles: [...roles],
    canSignIn: roles.has("issuer"),
  };
  return (isLocal) => ({ ...about, canExplain: isLocal });
}
