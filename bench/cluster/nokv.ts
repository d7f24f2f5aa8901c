import type { Contestant } from "./system.ts";

export const nokv: Contestant = {
  name: "nokv",
  absent: () => "not wired yet",
  start: () => Promise.reject(new Error("not wired yet")),
};
