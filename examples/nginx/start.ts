import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Starts nginx, the service, and an application that does not check tokens. All files are in a temporary folder, which is
 * removed at the end.
 */

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "holdfast-example-"));
const children: ChildProcess[] = [];

function run(name: string, program: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, ...env } });
  child.on("error", (error) => stop(`${name} cannot start: ${error.message}`));
  child.on("exit", (code) => {
    if (name === "nginx") stop(code === 0 ? null : `nginx ended with ${code}`);
    else console.log("the service ended; nginx and the application keep running");
  });
  children.push(child);
  return child;
}

let stopping = false;
function stop(why: string | null): void {
  if (stopping) return;
  stopping = true;
  if (why !== null) console.error(why);
  for (const child of children) child.kill();
  application.close();
  application.closeAllConnections();
  process.exitCode = why === null ? 0 : 1;
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
}

// The application trusts the identity headers, because only nginx can reach it.
const application = createServer((req, res) => {
  const subject = decodeURIComponent(String(req.headers["x-auth-subject"] ?? ""));
  const scopes = String(req.headers["x-auth-scopes"] ?? "")
    .split(" ")
    .map(decodeURIComponent);
  res.end(subject === "" ? "Hello, anonymous user\n" : `Hello ${subject}, you may ${scopes.join(", ")}\n`);
});
application.listen(3000, "127.0.0.1");
await once(application, "listening");

const service = run("the service", process.execPath, ["--no-warnings", here("../../src/cli.ts"), "serve"], {
  HOLDFAST_DATA_DIR: join(folder, "data"),
  HOLDFAST_POLICY: here("policy.json"),
  HOLDFAST_TRUSTED_PROXIES: "127.0.0.1",
  HOLDFAST_BOOTSTRAP_USER: "alice:correct horse battery",
});

for (const file of [here("nginx.conf"), here("../../ops/nginx/holdfast.conf")]) {
  copyFileSync(file, join(folder, file.slice(file.lastIndexOf("/") + 1)));
}
// When root starts nginx, its workers change to another user, which cannot write to the folder.
const user = process.getuid?.() === 0 ? ["-g", "user root;"] : [];
run("nginx", "nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr", ...user]);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop(null));

console.log(`
  Log in once, in another terminal:

    TOKEN=$(curl -s -H 'content-type: application/json' -d '{"username":"alice","password":"correct horse battery"}' http://127.0.0.1:4180/auth/login | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  Then call the application through nginx:

    curl -i http://127.0.0.1:8080/                                              # 200: a rule needs no token
    curl -i http://127.0.0.1:8080/me                                            # 401, with a challenge
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/me          # 200: your identity
    curl -i -H "authorization: Bearer $TOKEN" -H 'x-auth-subject: root' http://127.0.0.1:8080/me    # 400: a client cannot name its own identity
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/orders/7    # 403: needs orders:read
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/elsewhere   # 403: no rule
    curl -i -H "authorization: Bearer $TOKEN" --path-as-is http://127.0.0.1:8080/me/../orders/7    # 403: ambiguous
    kill ${service.pid}                                                                # stops the service. Then:
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/me          # 503, Retry-After: 1; no path is open

  Ctrl-C stops everything.
`);
