/**
 * Runs the set-up of a Fastify plugin. An error goes to `done`, because an error that a plugin throws reaches no caller of
 * `register`.
 */
export function setUpPlugin(setUp: () => void, done: (error?: Error) => void): void {
  let failure: Error | undefined;
  try {
    setUp();
  } catch (error) {
    failure = error as Error;
  }
  done(failure);
}

/**
 * Marks a function as a Fastify plugin, as fastify-plugin does. The decorators of the plugin then belong to the instance
 * that registers it, and not to a child of that instance.
 */
export function markAsPlugin(plugin: object, name: string, dependencies: readonly string[] = []): void {
  Object.assign(plugin, {
    [Symbol.for("skip-override")]: true,
    [Symbol.for("fastify.display-name")]: name,
    [Symbol.for("plugin-meta")]: { name, fastify: "4.x || 5.x", dependencies },
  });
}
