export * from "./core/verdict.ts";
