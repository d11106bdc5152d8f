import type { Connections } from "../../connections/types.ts";

/** A transport of engine.io. It joins no namespace until its client asks for one. */
interface Transport {
  close(discard?: boolean): unknown;
  once(event: "close", listener: () => void): unknown;
}

interface Engine {
  on(event: "connection", listener: (transport: Transport) => void): unknown;
}

interface Namespace {
  on(event: "connect", listener: (socket: { readonly conn: Transport }) => void): unknown;
}

/** The namespaces that a server has made. The member is not public, but an event tells only of later namespaces. */
const NAMESPACES = "_nsps";

const watchedKey = Symbol("holdfast.watched");

/** The part of a server of socket.io that tells of its transports. A stand-in of a test may lack it. */
interface Server {
  engine?: Engine | undefined;
  bind?(engine: Engine): unknown;
  on?(event: "new_namespace", listener: (namespace: Namespace) => void): unknown;
  readonly [NAMESPACES]?: ReadonlyMap<string, Namespace>;
  [watchedKey]?: true;
}

/**
 * Limits the transports that have joined no namespace: in number by `maxPending`, and in time by `firstTokenMs`. The
 * middleware of a namespace never sees them, and socket.io keeps each for 45 seconds, in any number. A transport that has
 * joined any namespace has no limit here, also when the namespace is not protected.
 */
export function limitSilentTransports(
  given: object,
  { expectTransport }: Pick<Connections, "expectTransport">,
): void {
  const server = given as Server;
  if (server[watchedKey] === true || server[NAMESPACES] === undefined || server.on === undefined) return;
  Object.defineProperty(server, watchedKey, { value: true });
  const waiting = new Map<Transport, () => void>();
  const stop = (transport: Transport) => {
    waiting.get(transport)?.();
    waiting.delete(transport);
  };
  const watchNamespace = (namespace: Namespace) => namespace.on("connect", ({ conn }) => stop(conn));
  for (const namespace of server[NAMESPACES].values()) watchNamespace(namespace);
  server.on("new_namespace", watchNamespace);
  const watchEngine = (engine: Engine) =>
    engine.on("connection", (transport) => {
      const close = () => {
        waiting.delete(transport);
        // A silent client does not answer a close in order.
        transport.close(true);
      };
      waiting.set(transport, expectTransport(close));
      transport.once("close", () => stop(transport));
    });
  if (server.engine !== undefined) watchEngine(server.engine);
  const bind = server.bind?.bind(server);
  // A server that is attached later gets its engine then.
  server.bind = (engine) => {
    watchEngine(engine);
    return bind?.(engine);
  };
}
