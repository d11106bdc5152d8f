import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { seedFile } from "./seed.ts";
import { LargeService } from "./service-process.ts";

/** The `iss` of the service. */
const issuer = "http://holdfast.bench";
const secret = "secret-of-the-benchmark-with-more-than-32-bytes";
const client = "bench:secret-of-a-client-of-the-benchmark-0001";
/** The administrator. */
export const credentials: { readonly username: string; readonly password: string } = {
  username: "admin",
  password: "correct horse battery",
};
/** The header of a service that may introspect. */
export const clientHeader: string = `Basic ${Buffer.from(client).toString("base64")}`;

/** The settings of a service whose data are in `folder`. */
export function settingsFor(folder: string): Readonly<Record<string, string>> {
  return {
    HOLDFAST_DATA_DIR: join(folder, "data"),
    HOLDFAST_SECRET: secret,
    HOLDFAST_URL: issuer,
    HOLDFAST_BOOTSTRAP_USER: `${credentials.username}:${credentials.password}`,
    HOLDFAST_CLIENTS: client,
    // The benchmark logs the administrator in all the time, and its tokens must last.
    HOLDFAST_MAX_SESSIONS: "10000",
    HOLDFAST_ACCESS_TOKEN_TTL: "1h",
    HOLDFAST_LOG_LEVEL: "error",
  };
}

/** Lets a service make its folders and keys in `folder`, and fills its file. */
export async function prepare(
  folder: string,
  count: { readonly sessions: number; readonly revocations: number; readonly sessionsOfOne?: number },
): Promise<void> {
  const { service, whenStarted } = await LargeService.spawn(settingsFor(folder));
  try {
    await whenStarted;
  } finally {
    await service.stop();
  }
  seedFile(join(folder, "data", "holdfast.db"), { issuer, secret, sessionsOfOne: 20_000, ...count });
}

/** Moves the file in `folder` to an empty Redis, and returns the settings of a service on it. */
export function moveToRedis(folder: string, url: string): Readonly<Record<string, string>> {
  const settings = {
    ...settingsFor(folder),
    HOLDFAST_STORE: "redis",
    REDIS_URL: url,
    HOLDFAST_REDIS_DURABILITY: "everysec",
  };
  const command = join(import.meta.dirname, "../../src/cli.ts");
  execFileSync(process.execPath, ["--no-warnings", command, "migrate"], {
    env: { ...process.env, ...settings },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return settings;
}
