import type { World } from "../../src/testing/simulation/index.ts";

/** A message between two tabs of a browser takes this long, milliseconds. */
const MESSAGE_MS = 1;

/**
 * Gives the tabs of each simulated browser Web Locks and broadcast channels of their own. Those of Node are shared by the
 * whole real process, and their messages arrive in real time. The returned function puts them back.
 */
export function installBrowserPlatform(world: World): () => void {
  const locks = new SimulatedLocks(world);
  const channels = new Set<SimulatedChannel>();
  const define = (target: object, name: string, value: unknown) => {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
    return () => {
      if (before === undefined) delete (target as Record<string, unknown>)[name];
      else Object.defineProperty(target, name, before);
    };
  };
  const ends = [
    define(navigator, "locks", locks),
    define(
      globalThis,
      "BroadcastChannel",
      class extends SimulatedChannel {
        constructor(name: string) {
          super(world, channels, name);
        }
      },
    ),
  ];
  return () => ends.forEach((end) => end());
}

/** The browser whose event happens now. A restarted browser has forgotten everything. */
function browserOf(world: World): string {
  return `${world.current?.name} ${world.current?.life}`;
}

class SimulatedChannel {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  readonly #world: World;
  readonly #channels: Set<SimulatedChannel>;
  readonly #key: string;

  constructor(world: World, channels: Set<SimulatedChannel>, name: string) {
    this.#world = world;
    this.#channels = channels;
    this.#key = `${browserOf(world)} ${name}`;
    channels.add(this);
  }

  unref(): this {
    return this;
  }

  postMessage(data: unknown): void {
    const copy = structuredClone(data);
    for (const other of this.#channels) {
      if (other === this || other.#key !== this.#key) continue;
      this.#world.current?.planTimer(MESSAGE_MS, () => other.onmessage?.({ data: copy }));
    }
  }

  close(): void {
    this.#channels.delete(this);
  }
}

/** Exclusive locks, granted in the order of the requests. */
class SimulatedLocks {
  readonly #world: World;
  readonly #waiting = new Map<string, Promise<unknown>>();

  constructor(world: World) {
    this.#world = world;
  }

  async request<T>(name: string, work: () => Promise<T>): Promise<T> {
    const key = `${browserOf(this.#world)} ${name}`;
    const earlier = this.#waiting.get(key) ?? Promise.resolve();
    const result = earlier.then(work, work);
    this.#waiting.set(key, result);
    return await result;
  }
}
