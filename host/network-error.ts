import { NetworkError, type NetworkErrorCode } from "../core/env/network.ts";

/** What the operating system calls it, and what we do. */
const codes: Readonly<Record<string, NetworkErrorCode>> = {
  ECONNREFUSED: "ECONNREFUSED",
  ECONNRESET: "ECONNRESET",
  ECONNABORTED: "ECONNRESET",
  EPIPE: "ECONNRESET",
  ETIMEDOUT: "ETIMEDOUT",
  EHOSTUNREACH: "ETIMEDOUT",
  ENETUNREACH: "ETIMEDOUT",
  EADDRINUSE: "EADDRINUSE",
  EADDRNOTAVAIL: "EADDRNOTAVAIL",
  EACCES: "EACCES",
  EPERM: "EACCES",
};

export function toNetworkError(error: Error): NetworkError {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return new NetworkError(codes[code] ?? "EUNKNOWN", error.message);
}
