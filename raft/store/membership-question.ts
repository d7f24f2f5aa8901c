import { type Layout, struct, u53 } from "../../core/bytes/layout.ts";

/** A replica asks whether it is a member of its region still. Whoever knows a newer region than it does tells it. */
export interface MembershipQuestion {
  readonly regionId: number;
  readonly peerId: number;
  /** Of the configuration that it knows. */
  readonly confVer: number;
}

export const membershipQuestionLayout: Layout<MembershipQuestion> = struct({
  regionId: u53, peerId: u53, confVer: u53,
});
