// Starts the service, builds the application and starts it. The end of one process ends the other.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";

const { PORT = "3000", AUTH_PORT = "4180" } = process.env;
const origin = `http://localhost:${PORT}`;
const folder = import.meta.dirname;
const env = { ...process.env, AUTH_PORT, NEXT_PUBLIC_ORIGIN: origin, NEXT_TELEMETRY_DISABLED: "1" };
const service = {
  HOLDFAST_PORT: AUTH_PORT,
  HOLDFAST_ADMIN_PORT: "0",
  HOLDFAST_URL: origin,
  HOLDFAST_AUDIENCE: origin,
  HOLDFAST_COOKIES: origin,
  HOLDFAST_DATA_DIR: join(folder, ".holdfast"),
  HOLDFAST_BOOTSTRAP_USER: "alice:wonderland",
};

const children = [];
const stop = () => children.forEach((child) => child.kill());
const start = (name, args, more = {}) => {
  const options = { cwd: folder, env: { ...env, ...more }, stdio: "inherit" };
  children.push(spawn(join(folder, "node_modules/.bin", name), args, options).once("exit", stop));
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);

start("holdfast", ["serve"], service);
const build = spawnSync(join(folder, "node_modules/.bin/next"), ["build"], {
  cwd: folder,
  env,
  stdio: "inherit",
});
if (build.status === 0) start("next", ["start", "--hostname", "localhost", "--port", PORT]);
else stop();
