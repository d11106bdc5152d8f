import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * nginx in front of an application that knows nothing of tokens, and the service beside it. Everything is in a folder
 * of its own and gone when this ends.
 */

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "holdfast-example-"));
const children: ChildProcess[] = [];

function run(name: string, program: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, ...env } });
  child.on("error", (error) => stop(`${name} cannot be started: ${error.message}`));
  child.on("exit", (code) => {
    if (name === "nginx") stop(code === 0 ? null : `nginx ended with ${code}`);
    else console.log("the service ended; nginx and the application go on");
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

// The application: it believes its headers, because nobody but nginx can reach it.
const application = createServer((req, res) => {
  const subject = decodeURIComponent(String(req.headers["x-auth-subject"] ?? ""));
  const scopes = String(req.headers["x-auth-scopes"] ?? "")
    .split(" ")
    .map(decodeURIComponent);
  res.end(subject === "" ? "Hello, whoever you are\n" : `Hello ${subject}, you may ${scopes.join(", ")}\n`);
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
// As root nginx would give up the right to write in that folder.
const user = process.getuid?.() === 0 ? ["-g", "user root;"] : [];
run("nginx", "nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr", ...user]);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop(null));

console.log(`
  Log in once, in another terminal:

    TOKEN=$(curl -s -H 'content-type: application/json' -d '{"username":"alice","password":"correct horse battery"}' http://127.0.0.1:4180/auth/login | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  and ask the application, by way of nginx:

    curl -i http://127.0.0.1:8080/                                              # 200: everybody may
    curl -i http://127.0.0.1:8080/me                                            # 401, with a challenge
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/me          # 200: who you are
    curl -i -H "authorization: Bearer $TOKEN" -H 'x-auth-subject: root' http://127.0.0.1:8080/me    # still you
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/orders/7    # 403: needs orders:read
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/elsewhere   # 403: no rule
    curl -i -H "authorization: Bearer $TOKEN" --path-as-is http://127.0.0.1:8080/me/../orders/7    # 403: ambiguous
    kill ${service.pid}                                                                # the service ends, and then:
    curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080/me          # 503, Retry-After: 1; nothing is open

  Ctrl-C ends it all.
`);
