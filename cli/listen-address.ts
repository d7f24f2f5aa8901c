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
 * Rejects when nobody can listen at `address`, so that a wrong address is reported before any file is touched. Another
 * process may still take it in between; then listening itself fails.
 */
export function probeAddress(address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => reject(refusal(address, error)));
    server.listen({ host: address.host, port: address.port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function refusal(address: Address, error: NodeJS.ErrnoException): unknown {
  const what = `bind ${formatAddress(address)}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new CommandError(exitCode.unavailable, `${what}: address already in use`, "--addr HOST:0 takes a free port");
    case "EADDRNOTAVAIL":
      return new CommandError(exitCode.unavailable, `${what}: no such address on this machine`);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new CommandError(exitCode.unavailable, `${what}: unknown host`);
    case "EACCES":
    case "EPERM":
      return new CommandError(exitCode.permission, `${what}: permission denied`, "ports below 1024 are privileged");
    case undefined:
    default:
      return error;
  }
}
