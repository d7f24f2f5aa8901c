import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The page that stores and gateways show at `/` of their metrics address: one file, nothing is loaded from elsewhere. */
export function livePage(): string {
  return readFileSync(join(import.meta.dirname, "live-page.html"), "utf8");
}
