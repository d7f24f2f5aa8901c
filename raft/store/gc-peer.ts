import { type Layout, struct, u53 } from "../../core/bytes/layout.ts";
import { type RegionMeta, regionLayout } from "../region.ts";

/** To a peer that writes to a region which it is no member of any more: the region, newer than what it knows. */
export interface GcPeer {
  readonly peerId: number;
  readonly region: RegionMeta;
}

export const gcPeerLayout: Layout<GcPeer> = struct({ peerId: u53, region: regionLayout });
