import type { FunctionComponent } from "preact";
import type { RoutePath } from "../data/routes.ts";
import { Now } from "./now.tsx";

export const views: Readonly<Record<RoutePath, FunctionComponent>> = {
  now: Now,
};
