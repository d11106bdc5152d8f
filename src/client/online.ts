/** Whether the device says that it has no network. Only browsers say so. */
export function isOffline(): boolean {
  return (globalThis.navigator as Partial<Navigator> | undefined)?.onLine === false;
}
