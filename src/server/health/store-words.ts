/** The behaviour of a failing store, in the present perfect, and what an operator can do. */
interface StoreWords {
  readonly text: string;
  /** Follows the duration. */
  readonly ending?: string;
  readonly advice: string;
}

const full = {
  text: "has had no space left on its disk",
  advice: "Free space on the disk of the store, or give it more.",
};
const unwritable = {
  text: "could not write to its disk",
  advice: "Check the disk, its mount and the limits of this process.",
};
const readOnly = {
  text: "has taken no writes, because its files are read-only",
  advice: "Check the mount and the owner of the data directory.",
};
const locked = {
  text: "has been locked by another program",
  advice: "Find the program that holds the database file, such as a back-up or a database shell.",
};
const unreachable = {
  text: "has been unreachable",
  advice: "Check that the server of the store runs, and the network and firewall before it.",
};
const removed = {
  text: "has been without its file",
  ending: ", which was removed",
  advice:
    "Move the same file back. If it is gone, stop the service and restore a backup: without its file, it refuses to start.",
};
const replaced = {
  text: "has had another file in its place",
  advice: "Restart to use the new file if it is a restored backup. Otherwise move the old one back.",
};
const unusable = {
  text: "could not be used",
  advice: "Check the file of the store, its directory and its disk.",
};
const silent = {
  text: "has not answered",
  advice: "Check the server of the store: it may hang, be overloaded, or be cut off.",
};
const silentFile = {
  text: "has not answered",
  advice: "Check the disk of this file: it may hang, be overloaded, or be a network disk that is cut off.",
};
const slow = { text: "has been slow to answer", advice: "Check the server of the store for other work." };
const slowFile = { text: "has been slow to answer", advice: "Check the disk of this file for other work." };
const credentials = {
  text: "has refused the credentials of this service",
  advice: "Check the user, its password and its rights (ACL) on the server.",
};
const noPrimary = {
  text: "has had no server that takes writes",
  advice: "Check the cluster or the Sentinels: a failover may be under way.",
};

/** The words by the code of SQLite, of Redis, of the system or of the library. */
const words: Readonly<Record<string, StoreWords>> = {
  SQLITE_BUSY: locked,
  SQLITE_LOCKED: locked,
  SQLITE_FULL: full,
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: unwritable,
  EIO: unwritable,
  SQLITE_IOERR: unwritable,
  SQLITE_IOERR_WRITE: unwritable,
  SQLITE_READONLY: readOnly,
  SQLITE_CANTOPEN: readOnly,
  EROFS: readOnly,
  EACCES: readOnly,
  READONLY: {
    text: "has been a read-only replica",
    ending: " and takes no writes",
    advice:
      "Point REDIS_URL at the primary. Only if no other primary is alive, promote this server (REPLICAOF NO ONE): writes may be lost.",
  },
  OOM: {
    text: "has been full: it reached its maxmemory",
    advice: "Raise maxmemory of Redis, and keep maxmemory-policy noeviction.",
  },
  NOREPLICAS: {
    text: "has refused writes, because too few replicas confirm them",
    advice: "Bring the replicas back, or lower min-replicas-to-write by decision.",
  },
  MISCONF: {
    text: "has refused writes, because it cannot save to its disk",
    advice: "Check the disk of Redis, and its log.",
  },
  LOADING: { text: "has been loading its data", advice: "Wait: Redis answers when it has loaded its file." },
  WRONGPASS: credentials,
  NOAUTH: credentials,
  NOPERM: credentials,
  MASTERDOWN: noPrimary,
  CLUSTERDOWN: noPrimary,
  TRYAGAIN: {
    text: "has had the keys of a slot on two servers",
    advice: "If the move of the slot was interrupted, run redis-cli --cluster fix.",
  },
  ECONNREFUSED: unreachable,
  ECONNRESET: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOTFOUND: unreachable,
  timeout: silent,
  ETIMEDOUT: silent,
  store_unavailable: unreachable,
  slow,
  durability: {
    text: "has put acknowledged writes at risk",
    advice: "Set the persistence and the replicas of the servers as docs/run/redis.md says.",
  },
  store_mismatch: {
    text: "has had data under a secret that this process lacks",
    advice: "Put the missing secret back into HOLDFAST_SECRET.",
  },
  store_newer: {
    text: "has been raised to a newer format",
    advice: "Update this process to the version of the others.",
  },
  closed: { text: "has been closed", advice: "Restart this process." },
};

/** The words for a failure. `detail` is its message. */
export function storeWords(reason: string | null, detail: string, description: string): StoreWords {
  const isFile = description.startsWith("sqlite ");
  const found = findWords(reason, detail, isFile);
  // A file has no server and no network before it.
  if (isFile && found === silent) return silentFile;
  if (isFile && found === slow) return slowFile;
  return (
    found ?? {
      text: `has failed${reason === null ? "" : ` with ${reason}`}`,
      advice: `Look at ${description}.`,
    }
  );
}

function findWords(reason: string | null, detail: string, isFile: boolean): StoreWords | undefined {
  if (reason === "store_unavailable") {
    if (/\bwas removed while it was open\b/.test(detail)) return removed;
    if (/\bwas replaced while it was open\b/.test(detail)) return replaced;
    if (/\bno answer\b/.test(detail)) return silent;
    if (isFile) return unusable;
  }
  // A special code of SQLite begins with the general one: SQLITE_IOERR_FSYNC.
  return words[reason ?? ""] ?? words[(reason ?? "").split("_", 2).join("_")];
}
