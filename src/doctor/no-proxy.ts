import { isLoopbackHost } from "../server/http/admin-access.ts";

/** Whether `NO_PROXY` lists the host: by name, by a domain above it such as `.internal`, with or without a port, or by `*`. */
export function isReachedDirectly({ hostname, port, protocol }: URL, noProxy: string | undefined): boolean {
  const usedPort = port || (protocol === "https:" ? "443" : "80");
  // Node asks this machine directly, whatever the variables say.
  if (isLoopbackHost(hostname.replace(/^\[(.*)\]$/, "$1"))) return true;
  return (noProxy ?? "").split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const [, name = "", ofPort] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (name === "" || (ofPort !== undefined && ofPort !== usedPort)) return false;
    const suffix = name.replace(/^\*?\.?/, ".");
    return (
      hostname === name || (name.startsWith(".") || name.startsWith("*") ? hostname.endsWith(suffix) : false)
    );
  });
}
