import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The page that stores and gateways show at `/` of their metrics address: one file. */
export function livePage(): string {
  return readFileSync(join(import.meta.dirname, "live-page.html"), "utf8");
}
