import type { Mutant } from "./mutant.ts";

const scenario = "migrate-init";

/** A directory on its way into a cluster and back: which of its two witnesses comes first, and what goes on. */
export const migrateInitMutants: readonly Mutant[] = [
  {
    name: "gate-not-looked-at",
    file: "core/engine/opening-mode.ts",
    find: `  if (gate.mode !== "standalone") throw notStandalone(directory, wordOf(found, gate.mode));`,
    replace: `  if (gate.mode === "demoting") throw notStandalone(directory, gate.mode);`,
    oracles: ["mode-gate", "legal-mode", "migration", "content"],
    scenario,
    why: "Whoever loses MODE has a database that anybody may write to, and a cluster that never hears of it (D27).",
  },
  {
    name: "mode-not-looked-at",
    file: "core/engine/opening-mode.ts",
    find: `  if (found.files.some(({ name }) => name === modeName)) throw notStandalone(directory, "preparing");`,
    replace: ``,
    oracles: ["mode-gate", "content", "migration"],
    scenario,
    why: "An application goes on writing after everything was counted.",
  },
  {
    name: "init-gate-before-mode",
    file: "node/migrate/init.ts",
    find: `    await writeMode(env, directory, mode);
    env.failpoints.hit(initAfterMode);
    await passGate(engine, mode, "preparing");`,
    replace: `    await passGate(engine, mode, "preparing");
    env.failpoints.hit(initAfterMode);
    await writeMode(env, directory, mode);`,
    oracles: ["legal-mode", "migration"],
    scenario,
    why: "A crash between the two leaves a gate that nobody can explain, and nothing to go on from (I2, I3).",
  },
  {
    name: "init-raft-seed-before-catalog",
    file: "node/migrate/init.ts",
    find: `    await putCatalog(engine, directory, mode);
    env.failpoints.hit(initAfterCatalog);
    await putRaftSeed(env, directory, mode);`,
    replace: `    await putRaftSeed(env, directory, mode);
    env.failpoints.hit(initAfterCatalog);
    await putCatalog(engine, directory, mode);`,
    oracles: ["legal-mode"],
    scenario,
    why: "A crash leaves the log of regions that are not there (I4, I5).",
  },
  {
    name: "init-catalog-not-awaited",
    file: "node/migrate/seed.ts",
    find: `  await new Promise<void>((resolve, reject) => {
    engine.whenDurable(ticket, (error) => (error === null ? resolve() : reject(error)));
  });`,
    replace: `  engine.whenDurable(ticket, () => {});`,
    oracles: ["legal-mode"],
    scenario,
    why: "A power loss leaves the log of regions that are not there (I4, I5).",
  },
  {
    name: "init-raft-seed-not-durable",
    file: "node/migrate/seed.ts",
    find: `      await log.submitted(seedChanges(mode));`,
    replace: `      await new Promise<void>((resolve) => log.submit(seedChanges(mode), false, resolve));`,
    oracles: ["legal-mode", "migration"],
    scenario,
    why: "MODE says seeded after a power loss, and the log that it rests on is gone (D2).",
  },
  {
    name: "init-mode-before-its-gate",
    file: "node/migrate/init.ts",
    find: `    await passGate(engine, mode, "seeded");
    env.failpoints.hit(initAfterSeededGate);
    await writeMode(env, directory, seeded);`,
    replace: `    await writeMode(env, directory, seeded);
    env.failpoints.hit(initAfterSeededGate);
    await passGate(engine, mode, "seeded");`,
    oracles: ["legal-mode", "migration"],
    scenario,
    why: "A crash between the two leaves a seed whose manifest says that it is none (I7).",
  },
  {
    name: "mode-renamed-before-it-is-durable",
    file: "node/mode/mode-file.ts",
    find: `    await syncFile(file);
  } catch`,
    replace: `    void syncFile;
  } catch`,
    oracles: ["migration", "legal-mode", "exception"],
    scenario,
    why: "After a power loss MODE is there under its name, and empty.",
  },
  {
    name: "init-trusts-its-arguments",
    file: "node/migrate/init.ts",
    find: `  if (clusterId !== null && clusterId !== mode.clusterId) differ`,
    replace: `  if (clusterId !== null && clusterId !== mode.clusterId) return;
  if (clusterId !== null && clusterId !== mode.clusterId) differ`,
    oracles: ["migration"],
    scenario,
    why: "What was begun for one cluster is finished for another.",
  },
  {
    name: "base-below-what-was-written",
    file: "node/migrate/gather.ts",
    find: `  return Math.max(version, timestampAt(readAtMs));`,
    replace: `  return version > 0 ? timestampAt(readAtMs) : 0;`,
    oracles: ["migration", "content"],
    scenario,
    why: "What was written in the last millisecond is invisible to a cluster (D25).",
  },
  {
    name: "self-check-works-on-the-disk",
    file: "node/migrate/read-regions.ts",
    find: `  const { engine } = await openReadOnlyEngine(env, directory, { durability: "none", versions: "given" });`,
    replace: `  const { openEngine } = await import("../../core/engine/engine.ts");
  const engine = await openEngine(looking, directory, { durability: "none", versions: "given" });
  void openReadOnlyEngine;`,
    oracles: ["migration", "content", "exception"],
    scenario,
    why: "Merges of an engine over memory remove tables that the directory's own manifest names.",
  },
  {
    name: "seed-served-without-a-fence",
    file: "node/seed-promotion.ts",
    find: `    client.fenceTimestamps(seed.baseTs + 1, (error) => {`,
    replace: `    client.fenceTimestamps(0, (error) => {`,
    oracles: ["fence", "content", "exception"],
    scenario,
    why: "A Coordinator with a slower clock gives timestamps below those of the seed, and what they write is not seen.",
  },
  {
    name: "rollback-mode-before-its-gate",
    file: "node/migrate/rollback.ts",
    find: `    if (engine.gate.mode !== "standalone") await engine.passGate(standaloneGate);
    env.failpoints.hit(rollbackAfterGate);
    await removeMode(env, directory);`,
    replace: `    await removeMode(env, directory);
    env.failpoints.hit(rollbackAfterGate);
    if (engine.gate.mode !== "standalone") await engine.passGate(standaloneGate);`,
    oracles: ["legal-mode", "migration"],
    scenario,
    why: "A crash leaves a gate without MODE: the directory is refused by everybody.",
  },
  {
    name: "rollback-leaves-the-regions",
    file: "node/migrate/rollback.ts",
    find: `    await removeCatalog(engine);
    env.failpoints`,
    replace: `    void removeCatalog;
    env.failpoints`,
    oracles: ["legal-mode", "migration"],
    scenario,
    why: "A standalone database holds regions, and the next migration finds them.",
  },
  {
    name: "rollback-leaves-the-raft-log",
    file: "node/migrate/rollback.ts",
    find: `    await removeRaftLog(env, directory);
    env.failpoints`,
    replace: `    void removeRaftLog;
    env.failpoints`,
    oracles: ["legal-mode", "mode-gate", "migration"],
    scenario,
    why: "The embedded opening takes it for a store's for ever.",
  },
];
