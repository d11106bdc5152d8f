/**
 * The number of examples that a slow property test draws. `npm run test:explore` draws `count`. `npm test` draws a third
 * of them, always the same ones.
 */
export function examples(count: number): number {
  return process.env["TEST_EXAMPLES"] === "all" ? count : Math.ceil(count / 3);
}
