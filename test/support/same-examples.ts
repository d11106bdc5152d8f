/*
 * Preloaded before the tests. Property tests draw the same examples in every run, so that a failure points to the
 * current change. `npm run test:explore` draws new examples.
 */
import fc from "fast-check";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 1 });
