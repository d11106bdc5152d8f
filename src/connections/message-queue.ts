/** A connection closes when a message arrives while waiting messages already have this size. */
const MAX_QUEUE_BYTES = 262_144;
/** Each waiting message counts for this size in addition to its length. */
const MESSAGE_OVERHEAD_BYTES = 1_024;

/** Messages from a peer that wait, in order, until its token is checked. */
export class MessageQueue {
  readonly #messages: unknown[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  get isFull(): boolean {
    return this.#bytes >= MAX_QUEUE_BYTES;
  }

  add(message: unknown, bytes: number): void {
    this.#messages.push(message);
    this.#bytes += MESSAGE_OVERHEAD_BYTES + bytes;
  }

  /** Removes and returns the oldest message. The size counts until the queue is empty. */
  take(): unknown {
    const message = this.#messages.shift();
    if (this.isEmpty) this.#bytes = 0;
    return message;
  }
}
