import { equal } from "../crypto/bytes.ts"
import { epochHash, memberOf, ownerOf, type Epoch } from "./epoch.ts"

/** So many owners that were passed over are remembered; a successor beyond that is refused [G-12]. */
export const TAKEOVERS_MAX = 8

/** A successor's epoch that its owner may still overrule [G-12]. */
export type Takeover = {
  /** The account that was the owner. */
  readonly owner: Uint8Array
  /** The number from which the owner's epochs count again, and the hash of the epoch before. */
  readonly number: number
  readonly before: Uint8Array
}

/** The epoch that is in force for one member. */
export type EpochInForce = { readonly epoch: Epoch; readonly takeovers: readonly Takeover[] }

export type EpochRefusal =
  /** Neither its owner nor its successor sent it, as far as we know: the owner that we know is to be asked. */
  | "no-right"
  /** It does not stand on the epoch that we have: another member was told something else. */
  | "another-history"
  /** Another epoch with the number of ours: its sender says different things to different members. */
  | "fork"
  | "too-many-takeovers"

export type EpochVerdict =
  | {
      readonly kind: "taken"
      readonly next: EpochInForce
      readonly by: "owner" | "successor" | "returned-owner"
    }
  /** It is in force already, or was. */
  | { readonly kind: "known" }
  | { readonly kind: "refused"; readonly why: EpochRefusal }

/** What an epoch of a group that we are in does, when the account `sender` sent it [G-11] [G-12]. */
export function judgeEpoch(inForce: EpochInForce, epoch: Epoch, sender: Uint8Array): EpochVerdict {
  const passedOver = inForce.takeovers.findIndex(({ owner }) => equal(owner, sender))
  if (passedOver !== -1) return judgeReturn(inForce, epoch, passedOver)
  const role = memberOf(inForce.epoch, sender)?.role ?? "member"
  if (role === "member") return refused("no-right")
  const { number } = inForce.epoch
  if (epoch.number < number) return { kind: "known" }
  if (epoch.number === number) return judgeSame(inForce.epoch, epoch)
  if (epoch.number === number + 1 && !equal(epoch.before, epochHash(inForce.epoch))) {
    return refused("another-history")
  }
  return role === "owner"
    ? { kind: "taken", by: "owner", next: { epoch, takeovers: inForce.takeovers } }
    : judgeTakeover(inForce, epoch)
}

function judgeSame(ours: Epoch, epoch: Epoch): EpochVerdict {
  return equal(epochHash(ours), epochHash(epoch)) ? { kind: "known" } : refused("fork")
}

function judgeTakeover(inForce: EpochInForce, epoch: Epoch): EpochVerdict {
  const owner = ownerOf(inForce.epoch)?.account
  if (owner === undefined || inForce.takeovers.length >= TAKEOVERS_MAX) return refused("too-many-takeovers")
  const takeover = { owner, number: inForce.epoch.number + 1, before: epochHash(inForce.epoch) }
  return { kind: "taken", by: "successor", next: { epoch, takeovers: [...inForce.takeovers, takeover] } }
}

/** An owner who was passed over is back: what was built without it falls. */
function judgeReturn({ takeovers }: EpochInForce, epoch: Epoch, at: number): EpochVerdict {
  const takeover = takeovers[at]
  if (takeover === undefined || epoch.number < takeover.number - 1) return { kind: "known" }
  const stands =
    epoch.number > takeover.number ||
    (epoch.number === takeover.number && equal(epoch.before, takeover.before)) ||
    (epoch.number === takeover.number - 1 && equal(epochHash(epoch), takeover.before))
  if (!stands) return refused("another-history")
  return { kind: "taken", by: "returned-owner", next: { epoch, takeovers: takeovers.slice(0, at) } }
}

function refused(why: EpochRefusal): EpochVerdict {
  return { kind: "refused", why }
}
