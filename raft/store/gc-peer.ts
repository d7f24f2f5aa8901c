import { type Layout, struct, u53 } from "../../core/bytes/layout.ts";
import { type RegionMeta, regionLayout } from "../region.ts";

/** To a peer that knows an older configuration of its region than this one, and is perhaps no member of it any more. */
export interface GcPeer {
  readonly peerId: number;
  readonly region: RegionMeta;
}

export const gcPeerLayout: Layout<GcPeer> = struct({ peerId: u53, region: regionLayout });
