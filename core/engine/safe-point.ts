import { type DropRules, versionMs } from "../lsm/drop-rules.ts";

/** Up to where the data of an engine with given versions may be forgotten. */
export class SafePoint {
  #version = 0;

  /** Nobody reads data below; 0: everybody may. */
  get version(): number {
    return this.#version;
  }

  /** One that lies behind is no news. Whether it moved. */
  advance(version: number): boolean {
    if (version <= this.#version) return false;
    this.#version = version;
    return true;
  }

  /** Who may still read. Lifetimes are judged where readers judge them: by timestamps. */
  rules(bottom: boolean): DropRules {
    const version = this.#version;
    const nowMs = version === 0 ? 0 : versionMs(version);
    return { pins: [], horizonVersion: version, nowMs, bottom, newestOnly: true };
  }
}
