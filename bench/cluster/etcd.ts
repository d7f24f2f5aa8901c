import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Child, firstLineOf, listening } from "../child.ts";
import { EtcdClient } from "./etcd-client.ts";
import { sleep } from "../sleep.ts";
import type { Contestant, System } from "./system.ts";

const members = [0, 1, 2] as const;
const clientPort = (member: number): number => 23_790 + member;
const peerPort = (member: number): number => 23_800 + member;

/** Three members, synced writes, linearizable reads: as it comes. Clients connect to the one that leads. */
export const etcd: Contestant = {
  name: "etcd",
  absent: () => (firstLineOf("etcd", ["--version"]) === null ? "etcd is not installed (Debian: etcd-server)" : null),
  start: async (directory) => {
    const children = members.map((member) => startMember(directory, member));
    for (const member of members) await listening(clientPort(member), 30);
    await leader();
    const system: System = {
      name: "etcd",
      version: firstLineOf("etcd", ["--version"])?.replace("etcd Version: ", "") ?? "",
      pids: () => children.map(({ pid }) => pid),
      connect: async () => new EtcdClient(clientPort(await leader())),
      killLeader: async () => {
        const member = await leader();
        await children[member]?.kill("SIGKILL");
        return async () => {
          children[member] = startMember(directory, member);
          await listening(clientPort(member), 30);
        };
      },
      stop: async () => {
        await Promise.all(children.map((child) => child.kill("SIGKILL")));
      },
    };
    return system;
  },
};

function startMember(directory: string, member: number): Child {
  mkdirSync(directory, { recursive: true });
  const url = `http://127.0.0.1:${clientPort(member)}`;
  const peerUrl = (of: number): string => `http://127.0.0.1:${peerPort(of)}`;
  const words = [
    "--name", `m${member}`, "--data-dir", join(directory, `m${member}`), "--log-level", "error",
    "--listen-client-urls", url, "--advertise-client-urls", url,
    "--listen-peer-urls", peerUrl(member), "--initial-advertise-peer-urls", peerUrl(member),
    "--initial-cluster", members.map((of) => `m${of}=${peerUrl(of)}`).join(","), "--initial-cluster-state", "new",
  ];
  return new Child("etcd", words, join(directory, `m${member}.log`));
}

/** The member that leads; waits for one. */
async function leader(): Promise<number> {
  for (let tries = 0; tries < 2_000; tries++) {
    for (const member of members) if (await leads(member)) return member;
    await sleep(10);
  }
  throw new Error("etcd has no leader");
}

async function leads(member: number): Promise<boolean> {
  const client = new EtcdClient(clientPort(member));
  try {
    return await client.leads();
  } catch {
    return false;
  } finally {
    client.close();
  }
}
