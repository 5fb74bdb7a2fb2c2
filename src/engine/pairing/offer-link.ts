import { Fault } from "../../errors.ts"
import { armour } from "../../pairing/armour.ts"
import { linkPsk, MODE } from "../../session/handshake.ts"
import type { OpenBundle } from "../../session/bundle.ts"
import type { Entry } from "../../wire/access.ts"
import { formatPairingLink, linkRequestTag } from "../../wire/pairing-link.ts"
import { shortName } from "../handshake/hello.ts"
import { OFFER_LIFE_S, offerId, requireRoom } from "../handshake/bundles.ts"
import { seconds, stepInput } from "../state/update.ts"
import { entryForNewcomer, freshBundle, ownBroker } from "./grant.ts"
import { notice } from "../state/events.ts"
import type { PairingContext, Expectation, Offered } from "../state/ports.ts"
import { guestAddressOf, membersOf } from "../connection/broker-addresses.ts"

/** A link with which one person can pair, and join our broker if we may invite. */
export async function offerLink(context: PairingContext): Promise<Offered> {
  const broker = ownBroker(context)
  const open = newOffer(context)
  const { hash: bundleHash, inbox, notAfter } = open.bundle
  const entry = await entryOrNotice(context)
  const invitation = entry.kind === "invitation" ? entry.invitation : undefined
  const { cancel } = await expect(context, open, MODE.link)
  const entryPoint = { address: guestAddressOf(broker), proof: broker.trust, ...membersOf(broker) }
  const link = formatPairingLink({ ...entryPoint, bundleHash, inbox, invitation })
  const offer = { kind: "link", id: offerId(inbox), link, expiresAt: notAfter * 1000 } as const
  return { offer, isLive: () => false, cancel }
}

/** The same for machines that are not online together: the bundle itself, in a file. */
export async function offerFile(context: PairingContext): Promise<Offered> {
  const broker = ownBroker(context)
  const open = newOffer(context)
  const access = { proof: broker.trust, entry: await entryOrNotice(context), ...membersOf(broker) }
  const { cancel } = await expect(context, open, MODE.file)
  const { bytes, inbox, notAfter } = open.bundle
  const name = shortName(context.ports.name())
  const file = armour({ bundle: bytes, name, address: guestAddressOf(broker), access })
  const offer = { kind: "file", id: offerId(inbox), file, expiresAt: notAfter * 1000 } as const
  return { offer, isLive: () => false, cancel }
}

/** Faults `refused` before an invitation is asked for that no one could use. */
function newOffer(context: PairingContext): OpenBundle {
  requireRoom(context.queue.state(), seconds(stepInput(context.ports)))
  return freshBundle(context, OFFER_LIFE_S)
}

function expect(
  context: PairingContext,
  open: OpenBundle,
  mode: typeof MODE.link | typeof MODE.file,
): Promise<Expectation> {
  const { hash } = open.bundle
  const tag = mode === MODE.link ? { requestTag: linkRequestTag(hash) } : {}
  return context.expect({ open, mode, psk: linkPsk(hash), ...tag, onPaired: () => undefined })
}

/** Without an invitation the offer still works for members of the broker, so the registrar's refusal is a notice and not a fault. */
async function entryOrNotice(context: PairingContext): Promise<Entry> {
  try {
    return await entryForNewcomer(context, "person")
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    const text = `only a member of this broker can use it: ${fault.message}`
    context.emit(notice(text))
    return { kind: "none" }
  }
}
