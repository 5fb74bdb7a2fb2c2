import { Fault } from "../../errors.ts"
import { armour } from "../../pairing/armour.ts"
import { linkPsk, MODE } from "../../session/handshake.ts"
import type { OpenBundle } from "../../session/bundle.ts"
import type { Entry } from "../../wire/access.ts"
import { formatPairingLink, linkRequestTag } from "../../wire/pairing-link.ts"
import { entryForNewcomer, freshBundle, ownBroker } from "./grant.ts"
import type { Desk, Expectation, Offered } from "../ports.ts"
import { doorOf, membersOf } from "../contacts/whereabouts.ts"

/** Long enough for a mail or a memory stick, short enough that a forgotten one opens nothing. */
const LIFE_S = 7 * 24 * 60 * 60

/** A link that lets one person pair, and come in at our broker where we may invite. */
export async function offerLink(desk: Desk): Promise<Offered> {
  const broker = ownBroker(desk)
  const open = freshBundle(desk, LIFE_S)
  const { hash: bundleHash, inbox, notAfter } = open.bundle
  const entry = await entryOrNotice(desk)
  const invitation = entry.kind === "invitation" ? entry.invitation : undefined
  const { withdraw } = await expect(desk, open, MODE.link)
  const way = { address: doorOf(broker), proof: broker.trust, ...membersOf(broker) }
  const link = formatPairingLink({ ...way, bundleHash, inbox, invitation })
  return { offer: { by: "link", link, expiresAt: notAfter * 1000 }, cancel: withdraw }
}

/** The same for machines that are not online together: the bundle itself, in a file. */
export async function offerFile(desk: Desk): Promise<Offered> {
  const broker = ownBroker(desk)
  const open = freshBundle(desk, LIFE_S)
  const access = { proof: broker.trust, entry: await entryOrNotice(desk), ...membersOf(broker) }
  const { withdraw } = await expect(desk, open, MODE.file)
  const file = armour({ bundle: open.bundle.bytes, address: doorOf(broker), access })
  return { offer: { by: "file", file, expiresAt: open.bundle.notAfter * 1000 }, cancel: withdraw }
}

function expect(
  desk: Desk,
  open: OpenBundle,
  mode: typeof MODE.link | typeof MODE.file,
): Promise<Expectation> {
  const { hash } = open.bundle
  const tag = mode === MODE.link ? { requestTag: linkRequestTag(hash) } : {}
  return desk.expect({ open, mode, psk: linkPsk(hash), ...tag, onPaired: () => undefined })
}

/** Without an invitation the offer still serves members of the broker, so the registrar's no is told and no fault. */
async function entryOrNotice(desk: Desk): Promise<Entry> {
  try {
    return await entryForNewcomer(desk, "person")
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    const text = `only somebody who is at this broker already can use it: ${fault.message}`
    desk.tell({ event: "notice", contact: null, text })
    return { kind: "none" }
  }
}
