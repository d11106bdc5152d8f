import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/free-port.ts";
import { hasEnded, waitForExit } from "../support/child-exit.ts";
import { waitUntil } from "../support/deadline.ts";
import type { Certificate } from "./certificate.ts";

/*
 * The real programs, with the configurations of ops/. The caller that starts one stops it.
 */

export type ProxyName = "nginx" | "caddy" | "haproxy";

/** The reason to skip tests that need the program, or `false`. On CI their file fails at once with that reason. */
export function isMissing(name: ProxyName): string | false {
  const found = spawnSync(name, [name === "caddy" ? "version" : "-v"]).status === 0;
  if (found) return false;
  const reason = `${name} is not installed`;
  if (process.env["CI"] === "true") throw new Error(reason);
  return reason;
}

export interface Proxy {
  readonly port: number;
  /** What the program has written to standard error. */
  log(): string;
  stop(): Promise<void>;
}

/** The addresses by the names in the configurations of Caddy and HAProxy. */
type Addresses = Readonly<Record<"SITE" | "HOLDFAST" | "UPSTREAM", string>>;

const ops = (path: string) => fileURLToPath(new URL(`../../ops/${path}`, import.meta.url));

/** A configuration of nginx that writes into `folder` only, with this content of its block http. */
function nginxConfiguration(folder: string, http: string): string {
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  // nginx started by root changes its user, which could not write in this folder.
  return `${process.getuid?.() === 0 ? "user root;" : ""} daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
    events {}
    http {
      access_log off;
      ${bodies.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ")}
      ${http}
    }`;
}

const holdfastUpstream = (address: string) =>
  `upstream holdfast { server ${address}; keepalive 32; keepalive_timeout 4s; }`;

/** The site around `ops/nginx/holdfast.conf`, as its comments describe it. */
function contractSite(
  folder: string,
  { SITE, HOLDFAST, UPSTREAM }: Addresses,
  certificate: Certificate | undefined,
): string {
  const { file } = certificate ?? {};
  const tls = file === undefined ? "" : ` ssl http2; ssl_certificate ${file}; ssl_certificate_key ${file}`;
  return nginxConfiguration(
    folder,
    `${holdfastUpstream(HOLDFAST)}
      upstream application { server ${UPSTREAM}; }
      # What a site may have set for all of its servers.
      proxy_cache_path ${folder}/cache keys_zone=all:1m;
      proxy_cache all;
      proxy_cache_valid any 1h;
      proxy_ignore_headers Cache-Control;
      proxy_intercept_errors on;
      server {
        listen ${SITE}${tls};
        include ${ops("nginx/holdfast.conf")};
        client_max_body_size 10m;
        error_page 503 =200 /sorry;
        location = /sorry { auth_request off; return 200; }
        location / { proxy_pass http://application; proxy_cache off; proxy_intercept_errors off; }
      }`,
  );
}

function launch(
  name: ProxyName,
  folder: string,
  addresses: Addresses,
  certificate: Certificate | undefined,
  more: NodeJS.ProcessEnv = {},
): ChildProcess {
  const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    spawn(name, args, {
      env: { ...process.env, ...env, ...more },
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
  const { file } = certificate ?? {};
  if (name === "nginx") {
    const configuration = join(folder, "nginx.conf");
    writeFileSync(configuration, contractSite(folder, addresses, certificate));
    return run(["-p", folder, "-c", configuration, "-e", "stderr"]);
  }
  if (name === "caddy") {
    const home = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, CADDY_ADMIN: "off" };
    const [host = "", port = ""] = addresses.SITE.split(":");
    const listening = { SITE: `${file === undefined ? "http" : "https"}://:${port}`, BIND: host };
    const TLS = file === undefined ? "" : `tls ${file} ${file}`;
    return run(["run", "--config", ops("caddy/Caddyfile")], { ...addresses, ...home, ...listening, TLS });
  }
  const script = { FORWARD_AUTH: ops("haproxy/forward-auth.lua") };
  const TLS = file === undefined ? "" : `ssl crt ${file} alpn h2,http/1.1`;
  return run(["-db", "-f", ops("haproxy/haproxy.cfg")], { ...addresses, ...script, TLS });
}

/**
 * Starts the program on a free port of 127.0.0.1, between the gateway and an application on these ports. With a
 * certificate it uses TLS, and offers HTTP/2 and HTTP/1.1. `more` are further variables of the configurations.
 */
export async function startProxy(
  name: ProxyName,
  gatewayPort: number,
  applicationPort: number,
  certificate?: Certificate,
  more?: NodeJS.ProcessEnv,
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  const port = await freePort();
  const at = (each: number) => `127.0.0.1:${each}`;
  const addresses = { SITE: at(port), HOLDFAST: at(gatewayPort), UPSTREAM: at(applicationPort) };
  return await whenListening(name, launch(name, folder, addresses, certificate, more), port, folder);
}

/**
 * Starts nginx with one server that includes `ops/nginx/holdfast.conf` and holds `server`. `http` stands before the server.
 * In both, `ops:` is the folder of the configurations, and `port:` is the port of the server.
 */
export async function startNginx(gatewayPort: number, server: string, http = ""): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-nginx-"));
  const port = await freePort();
  const configuration = nginxConfiguration(
    folder,
    `${holdfastUpstream(`127.0.0.1:${gatewayPort}`)}
      ${http}
      server { listen 127.0.0.1:${port}; server_name api.example; ${server} }`
      .replaceAll("ops:", ops("nginx/"))
      .replaceAll("port:", String(port)),
  );
  writeFileSync(join(folder, "nginx.conf"), configuration);
  const child = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return await whenListening("nginx", child, port, folder);
}

async function whenListening(
  name: ProxyName,
  child: ChildProcess,
  port: number,
  folder: string,
): Promise<Proxy> {
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await waitUntil(async () => {
    if (hasEnded(child))
      throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}:\n${said}`);
    return await isListening(port);
  }, `${name} on ${port}`);
  return {
    port,
    log: () => said,
    async stop() {
      // SIGTERM ends nginx with its workers. The others would wait for connections that are kept open.
      child.kill(name === "nginx" ? "SIGTERM" : "SIGKILL");
      await waitForExit(child, name);
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
