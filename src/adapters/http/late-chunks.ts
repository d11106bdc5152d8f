import type { IncomingMessage } from "node:http";

/**
 * Lets a request that was destroyed pass on no more of its body. The issuer cancels a body that it refuses, which
 * destroys the request. Node still emits the chunks that have arrived, and its adapter to a web stream then throws out of
 * every handler, which would end the process.
 */
export function dropLateChunks(req: IncomingMessage): void {
  const destroy = req.destroy.bind(req);
  req.destroy = (error) => {
    req.removeAllListeners("data");
    return destroy(error);
  };
}
