/*
 * Loaded before the tests: property tests draw the same examples in every run, so that a test that fails was broken by
 * the change at hand. `npm run test:explore` draws new ones.
 */
import fc from "fast-check";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 1 });
