import type { Command } from "../command.ts";
import { clientCommand } from "./client.ts";
import { configCommand } from "./config.ts";
import { connectCommands } from "./connect.ts";
import { counterCommands } from "./counters.ts";
import { expiryCommands } from "./expiry.ts";
import { infoCommand } from "./info.ts";
import { inspectionCommands } from "./inspection.ts";
import { commandCommand } from "./introspection.ts";
import { keyCommands } from "./keys.ts";
import { scanCommands } from "./scan.ts";
import { stringCommands } from "./strings.ts";
import { transactionCommands } from "./transactions.ts";

/** Every command that the gateway speaks. */
export const commands: readonly Command[] = [
  ...stringCommands,
  ...counterCommands,
  ...keyCommands,
  ...expiryCommands,
  ...scanCommands,
  ...transactionCommands,
  ...connectCommands,
  ...inspectionCommands,
  clientCommand,
  commandCommand,
  configCommand,
  infoCommand,
];
