import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, until } from "../support/redis-servers.ts";

/*
 * The real programs, with the very configurations of ops/. Whoever starts one stops it.
 */

export type ProxyName = "nginx" | "caddy" | "haproxy";

/** Why tests that need the program are skipped here; `false` when they run. On CI they run, and fail without it. */
export function isMissing(name: ProxyName): string | false {
  const found = spawnSync(name, [name === "caddy" ? "version" : "-v"]).status === 0;
  return found || process.env["CI"] === "true" ? false : `${name} is not installed`;
}

export interface Proxy {
  readonly port: number;
  stop(): Promise<void>;
}

const ops = (path: string) => fileURLToPath(new URL(`../../ops/${path}`, import.meta.url));

/** What nginx needs around `ops/nginx/holdfast.conf`, as its comments say. */
function nginxConfiguration(folder: string, site: string, gateway: string, application: string): string {
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  // As root nginx would give up the right to write in its own folder.
  return `${process.getuid?.() === 0 ? "user root;" : ""} daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
    events {}
    http {
      access_log off;
      ${bodies.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ")}
      upstream holdfast { server ${gateway}; keepalive 32; keepalive_timeout 4s; }
      upstream application { server ${application}; }
      # What a site may have set for all of its servers.
      proxy_cache_path ${folder}/cache keys_zone=all:1m;
      proxy_cache all;
      proxy_cache_valid any 1h;
      proxy_ignore_headers Cache-Control;
      proxy_intercept_errors on;
      server {
        listen ${site};
        include ${ops("nginx/holdfast.conf")};
        error_page 503 =200 /sorry;
        location = /sorry { auth_request off; return 200; }
        location / { proxy_pass http://application; proxy_cache off; proxy_intercept_errors off; }
      }
    }`;
}

function launch(
  name: ProxyName,
  folder: string,
  site: string,
  gateway: string,
  application: string,
): ChildProcess {
  const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    spawn(name, args, { env: { ...process.env, ...env }, cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const addresses = { SITE: site, HOLDFAST: gateway, UPSTREAM: application };
  if (name === "nginx") {
    const file = join(folder, "nginx.conf");
    writeFileSync(file, nginxConfiguration(folder, site, gateway, application));
    return run(["-p", folder, "-c", file, "-e", "stderr"]);
  }
  if (name === "caddy") {
    const home = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, CADDY_ADMIN: "off" };
    const listening = { SITE: `http://:${site.split(":")[1]}`, BIND: "127.0.0.1" };
    return run(["run", "--config", ops("caddy/Caddyfile")], { ...addresses, ...home, ...listening });
  }
  const script = { FORWARD_AUTH: ops("haproxy/forward-auth.lua") };
  return run(["-db", "-f", ops("haproxy/haproxy.cfg")], { ...addresses, ...script });
}

/** Starts the program on a free port of 127.0.0.1, between the gateway and an application on these ports. */
export async function startProxy(
  name: ProxyName,
  gatewayPort: number,
  applicationPort: number,
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  const port = await freePort();
  const [site, gateway, application] = [port, gatewayPort, applicationPort].map(
    (each) => `127.0.0.1:${each}`,
  );
  const child = launch(name, folder, site ?? "", gateway ?? "", application ?? "");
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "exit");
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${said}`);
    return await isListening(port);
  }, `${name} on ${port}`);
  return {
    port,
    async stop() {
      // nginx takes its workers along; the others would wait for connections that are kept open.
      child.kill(name === "nginx" ? "SIGTERM" : "SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
