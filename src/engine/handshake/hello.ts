import type { AccountChain } from "../../account/account-chain.ts"
import { toHex } from "../../crypto/bytes.ts"
import { firstLinkFrame, ownChain } from "../accounts/own-account.ts"
import {
  bundleOwner,
  encodeOpenBundle,
  makeBundle,
  readBundle,
  type OpenBundle,
} from "../../session/bundle.ts"
import type { AccountHead } from "../../session/comparison.ts"
import { initTag, MODE, recoveryPsk, type Established } from "../../session/handshake.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { DAY_S } from "../../time-units.ts"
import { NAME_MAX_BYTES, type Frame } from "../../wire/frame.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import type { Inbox } from "../../wire/topics.ts"
import { withHave } from "./have.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Ports } from "../state/ports.ts"
import { ownTime } from "./bundles.ts"
import { wallSeconds, type DeviceUpdate, type StepInput } from "../state/update.ts"

/** A recovery bundle is for when everything else is lost, so it is valid as long as a contact may last: ten years. */
const RECOVERY_LIFE_S = 10 * 365 * DAY_S

/** Our side of a handshake. */
export type Self = {
  readonly identity: IdentityKeys
  readonly name: string
  readonly account: AccountChain
  /** In a recovery: the newest of their texts that we have. */
  readonly have?: readonly Uint8Array[] | undefined
}

export function selfOf(state: EngineState, { identity, name }: Pick<Ports, "identity" | "name">): Self {
  return { identity, name: name(), account: ownChain(state) }
}

/** What our HELLO says of our account. */
export function ownHead({ account: { accountId, head } }: Self): AccountHead {
  return { account: accountId, head }
}

/** A bundle for the other side to recover with, at this inbox of ours. */
export function recoveryBundle(identity: IdentityKeys, inbox: Inbox, input: StepInput): OpenBundle {
  const notAfter = wallSeconds(input) + RECOVERY_LIFE_S
  return makeBundle(identity, { multiUse: false, recovery: true, inbox, notAfter }, input.random)
}

/** Its secrets, under the secret of this handshake [S-4]. */
export function keepRecoveryBundle(
  update: DeviceUpdate,
  open: OpenBundle,
  { recoverySecret }: Pick<Established, "recoverySecret">,
): void {
  const { bundle } = open
  const psk = recoveryPsk(bundle.hash, recoverySecret)
  update.changes.push({
    kind: "open-bundle",
    bundle: {
      tag: initTag(psk, bundle.hash),
      requestTag: new Uint8Array(0),
      mode: MODE.recovery,
      psk,
      open: encodeOpenBundle(open),
      mailbox: bundle.inbox.mailbox,
      device: update.device.id,
      notAfter: ownTime(bundle.notAfter, update.input),
    },
  })
}

/** The first frames of either side: who it is, the first link of its account, and what goes along [W-21] [W-56]. */
export function hello(self: Self, recovery: OpenBundle, share: Uint8Array, along: readonly Frame[]): Frame[] {
  const { account } = self
  const { accountId, links, head } = account
  const frame: Frame = {
    kind: "hello",
    name: shortName(self.name),
    recoveryBundle: recovery.bundle.bytes,
    ...{ accountId, length: links.length, head },
    share,
  }
  const frames = [frame, firstLinkFrame(account), ...along]
  return self.have === undefined ? frames : withHave(frames, self.have)
}

/** At most 64 bytes, cut between characters. */
export function shortName(name: string): Uint8Array {
  let bytes = new Uint8Array(0)
  for (const character of name) {
    const longer = Buffer.concat([bytes, Buffer.from(character, "utf8")])
    if (longer.length > NAME_MAX_BYTES) break
    bytes = new Uint8Array(longer)
  }
  return bytes
}

/** Kept only if it is a recovery bundle, signed by this device. */
export function withRecoveryBundle(device: DeviceRecord, bytes: Uint8Array, now: number): DeviceRecord {
  const bundle = readBundle(bytes, now)
  if (bundle?.recovery !== true || isOfAnother(device.key, bytes)) return device
  return { ...device, recoveryBundle: bundle.bytes }
}

/** Whether a bundle names another owner than the device with this key, by either half [D-70]. */
export function isOfAnother(key: Uint8Array, bundle: Uint8Array): boolean {
  return toHex(bundleOwner(bundle)) !== toHex(key)
}
