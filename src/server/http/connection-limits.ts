import type { Socket } from "node:net";

export interface ConnectionLimitOptions {
  /** The most connections of this listener. */
  readonly max: number;
  /** The most connections of one peer. */
  readonly maxPerPeer: number;
  /** Names the peer of a connection. `null` when only `max` applies to it, as for a trusted proxy. */
  readonly peerOf: (socket: Socket) => string | null;
}

interface Peer {
  readonly name: string | null;
  connections: number;
  /** The connections that wait for a whole request, beginning with the one that has waited longest. */
  readonly waiting: Set<Socket>;
}

/**
 * Bounds the connections of a listener, so that silent or slow connections take no descriptor from other clients
 * (law 6). At a limit, the connection that has waited longest for its next request makes room for a new one. A
 * connection whose request is being answered is never closed.
 */
export class ConnectionLimits {
  readonly #options: ConnectionLimitOptions;
  readonly #peers = new Map<string | null, Peer>();
  readonly #peerOf = new Map<Socket, Peer>();

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#peerOf.size;
  }

  /** Counts a new connection until it closes. Returns false when every counted connection is being answered. */
  accept(socket: Socket): boolean {
    const { max, maxPerPeer, peerOf } = this.#options;
    const name = peerOf(socket);
    const known = this.#peers.get(name);
    const isFull = name !== null && known !== undefined && known.connections >= maxPerPeer;
    if (isFull && !this.#closeLongestWaiting(known)) return false;
    if (this.size >= max && !this.#closeLongestWaiting(this.#peerWithMostWaiting())) return false;
    const peer = this.#peers.get(name) ?? { name, connections: 0, waiting: new Set() };
    this.#peers.set(name, peer);
    peer.connections++;
    peer.waiting.add(socket);
    this.#peerOf.set(socket, peer);
    socket.once("close", () => this.#remove(socket));
    return true;
  }

  /** The request of the connection has arrived as a whole. */
  beginAnswer(socket: Socket): void {
    this.#peerOf.get(socket)?.waiting.delete(socket);
  }

  /** The answer was sent, and the connection waits for its next request. */
  endAnswer(socket: Socket): void {
    this.#peerOf.get(socket)?.waiting.add(socket);
  }

  /** A peer with many waiting connections makes room before one with few. */
  #peerWithMostWaiting(): Peer | undefined {
    let most: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.waiting.size > (most?.waiting.size ?? 0)) most = peer;
    }
    return most;
  }

  /** Returns whether the peer had a waiting connection. */
  #closeLongestWaiting(peer: Peer | undefined): boolean {
    const [longest] = peer?.waiting ?? [];
    if (longest === undefined) return false;
    this.#remove(longest);
    longest.destroy();
    return true;
  }

  #remove(socket: Socket): void {
    const peer = this.#peerOf.get(socket);
    if (peer === undefined) return;
    this.#peerOf.delete(socket);
    peer.waiting.delete(socket);
    peer.connections--;
    if (peer.connections === 0) this.#peers.delete(peer.name);
  }
}
