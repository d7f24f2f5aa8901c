import { createServer } from "node:net";
import type { Address } from "../core/env/network.ts";
import { CommandError, exitCode } from "./exit-code.ts";

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach it, as far as its name tells. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}

/**
 * Rejects when nobody can listen at `address`, so that a wrong address is reported before any file is
 * touched. Another process may still take it in between; then listening itself fails. `remedy`: for one that is taken.
 */
export function probeAddress(address: Address, remedy = "port 0 takes a free one"): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => reject(refusal(address, error, remedy)));
    server.listen({ ...address, exclusive: true }, () => server.close(() => resolve()));
  });
}

function refusal(address: Address, error: NodeJS.ErrnoException, remedy: string): unknown {
  const what = `bind ${formatAddress(address)}`;
  const { unavailable, permission } = exitCode;
  switch (error.code) {
    case "EADDRINUSE":
      return new CommandError(unavailable, `${what}: address already in use`, remedy);
    case "EADDRNOTAVAIL":
      return new CommandError(unavailable, `${what}: no such address on this machine`);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new CommandError(unavailable, `${what}: unknown host`);
    case "EACCES":
    case "EPERM":
      return new CommandError(permission, `${what}: permission denied`, "ports below 1024 are privileged");
    case undefined:
    default:
      return error;
  }
}
