import { deviceClock } from "./platform.ts";
import { originOf, readUrl, refuse, refuseUnknown } from "./origins.ts";
import { noRecord } from "./record.ts";
import type { Session } from "./session.ts";
import { deviceStorage } from "./storage.ts";
import type { AuthClientOptions } from "./types.ts";

/** Creates the session. Throws a `TypeError` that names the option. */
export const createSession = ({
  baseUrl: url,
  origins = [],
  key = "auth",
  mode = "token",
  storage = "device",
  bufferMs = 300_000,
  timeoutMs = 10_000,
  lockWaitMs = 4_000,
  fetch = async (...given) => await globalThis.fetch(...given),
  clock = deviceClock,
  random = () => Math.random(),
  ...unknown
}: AuthClientOptions): Session => {
  refuseUnknown("option", unknown);
  const hasCookies = mode === "cookie";
  // A misspelt mode must not keep tokens where scripts can read them.
  if (!hasCookies && mode !== "token") refuse("mode", "token or cookie", mode);
  const baseUrl = readUrl("baseUrl", url);
  const name = `holdfast:${key}`;
  const stored = storage === "device" ? deviceStorage(name) : storage;
  if (stored !== "memory" && !stored.update) refuse("storage", "device or memory", storage);
  const listed = [baseUrl, ...origins.map((origin) => readUrl("origins", origin))].map(originOf);
  return {
    bufferMs,
    timeoutMs,
    lockWaitMs,
    fetch,
    clock,
    random,
    name,
    authUrl: baseUrl.href.replace(/\/?$/, "/auth/"),
    hasCookies,
    storage: stored === "memory" ? undefined : stored,
    storageRetryAt: -Infinity,
    record: noRecord,
    newAt: 0,
    state: { status: "loading" },
    ready: Promise.resolve(),
    listeners: new Set(),
    trouble: null,
    retryAt: -Infinity,
    isListed: (asked) => listed.includes(originOf(asked)),
  };
};
