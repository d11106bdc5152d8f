import { hostname } from "node:os";
import type { HttpBindings } from "@hono/node-server";
import type { Hono, MiddlewareHandler } from "hono";
import type { SettingView, SettingsAnswer } from "../../dashboard/wire-api.ts";
import type { Instance } from "../../dashboard/wire.ts";
import { jsonResponse, oauthError } from "../http/respond.ts";
import { isLocalPeer } from "../http/admin-access.ts";
import { addGetRoute } from "../http/get-route.ts";
import type { Service } from "../service.ts";
import type { Role } from "../setting-definitions.ts";
import { version } from "../version.ts";
import { addActions } from "./api/actions.ts";
import { BreakerAction } from "./api/breaker-action.ts";
import { addExplain } from "./api/explain.ts";
import { addLists } from "./api/lists.ts";
import { addSignIn } from "./api/sign-in.ts";
import { EventStream, streamHeaders } from "./event-stream.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Sampler, type SamplerOptions } from "./sampler.ts";

/** The parts of the process that the dashboard shows with the service. */
export interface DashboardOptions extends SamplerOptions {
  readonly roles: ReadonlySet<Role>;
  readonly settings: readonly SettingView[];
  /** The address of the admin listener, for the other processes on the same store. */
  readonly adminAddress: string;
}

/** The data of the dashboard. It is sampled from the start, because a page that opens later needs the history. */
export interface Dashboard {
  readonly addRoutes: (app: Hono) => void;
  /** Another command has forced the breaker of an issuer, so the page does not give it back. */
  readonly forgetBreaker: (issuer: string) => void;
  /** Ends the streams and the sampling. */
  readonly close: () => void;
}

/** Starts the dashboard of this process. */
export function startDashboard(
  service: Service,
  { roles, settings, adminAddress, ...options }: DashboardOptions,
): Dashboard {
  const { clock, entropy } = service.platform;
  const id = entropy.bytes(9).toString("base64url");
  const heartbeat = new Heartbeat(
    service.store,
    { id, host: hostname(), version, admin: adminAddress },
    clock,
  );
  const sampler = new Sampler(service, { ...options, others: () => heartbeat.others });
  const stream = new EventStream(sampler, describeInstance(service, roles, id));
  const breakers = new BreakerAction(service, clock);
  sampler.start();
  heartbeat.start();
  return {
    addRoutes(app) {
      for (const path of ["/events", "/api/*"]) app.use(path, refuseForeignPages);
      addGetRoute(app, "/events", (c) => {
        // The stream of an answer without a body would never end.
        if (c.req.method === "HEAD") return new Response(null, { headers: streamHeaders });
        const bindings = c.env as Partial<HttpBindings> | undefined;
        const connection = {
          isLocal: isLocalPeer(bindings),
          disconnect: () => void bindings?.outgoing?.destroy(),
        };
        return stream.open(c.req.header("last-event-id"), connection);
      });
      addGetRoute(app, "/api/settings", () => jsonResponse(200, { settings } satisfies SettingsAnswer));
      addLists(app, service);
      addExplain(app, service);
      addActions(app, service, breakers);
      if (roles.has("issuer")) addSignIn(app, service);
    },
    forgetBreaker: (issuer) => breakers.forget(issuer),
    close() {
      breakers.close();
      stream.close();
      sampler.stop();
      heartbeat.stop();
    },
  };
}

/** A page of another site cannot read the answer of a request that it sends. It must not be able to cause one, either. */
const refuseForeignPages: MiddlewareHandler = async (c, next) => {
  const site = c.req.header("sec-fetch-site") ?? "none";
  if (site === "same-origin" || site === "none") return await next();
  return oauthError(403, "forbidden", "The request comes from a page of another site.");
};

function describeInstance(
  service: Service,
  roles: ReadonlySet<Role>,
  id: string,
): (isLocal: boolean) => Instance {
  const about = {
    id,
    version,
    runtime: `node ${process.versions.node}`,
    host: hostname(),
    pid: process.pid,
    startedAt: Math.round(service.platform.clock.now() - process.uptime() * 1_000),
    url: service.url,
    audience: [service.audience].flat(),
    roles: [...roles],
    canSignIn: roles.has("issuer"),
  };
  return (isLocal) => ({ ...about, canExplain: isLocal });
}
