/**
 * The time after which a test file is ended, in milliseconds: several times what the slowest file takes on a busy
 * machine. The tests of the watchdog and of the runner set a shorter one.
 */
export const FILE_LIMIT_MS: number = Number(process.env["TEST_FILE_LIMIT_MS"] ?? 600_000);
