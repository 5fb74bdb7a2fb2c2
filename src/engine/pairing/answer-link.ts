import { Fault } from "../../errors.ts"
import { readArmour } from "../../pairing/armour.ts"
import { refuseEarlierOffer } from "../../pairing/earlier-offer.ts"
import { REPEAT_MS } from "../../pairing/timeouts.ts"
import { linkPsk, MODE } from "../../session/handshake.ts"
import type { Access } from "../../wire/access.ts"
import {
  type PairingLink,
  openLinkAnswer,
  parsePairingLink,
  sealLinkRequest,
} from "../../wire/pairing-link.ts"
import { type Inbox, inboxTopic } from "../../wire/topics.ts"
import { readOfferedBundle, awaitWelcome } from "./complete.ts"
import { ensureMember } from "./broker-choice.ts"
import { ownConnection, within } from "./own-connection.ts"
import type { TransportChoice } from "./transport-choice.ts"
import type { PairingContext, Paired } from "../state/ports.ts"
import { deferred } from "../../async/deferred.ts"

/** The owner answers at once if mqttchat runs there; the rest of this time is for asking them to start it. */
export const BUNDLE_WITHIN_MS = 120_000

/** Fetches the bundle that the link names from its owner, and does the handshake. */
export async function answerLink(
  context: PairingContext,
  carrier: string,
  transport: TransportChoice,
): Promise<Paired> {
  const link = parsePairingLink(carrier)
  if (link === undefined) {
    refuseEarlierOffer("link", carrier)
    throw new Fault(
      "bad-data",
      "this pairing link is incomplete",
      "copy all of it, in quotes: mqttchat pair 'LINK'",
    )
  }
  const met = context.metLately(link.inbox.device)
  if (met !== undefined) return met
  const since = context.mark()
  await ensureMember(context, { address: link.address, access: accessOf(link) }, transport)
  const inbox = context.newInbox()
  const bundle = readOfferedBundle(context, await fetchBundle(context, link, inbox))
  const psk = linkPsk(link.bundleHash)
  return awaitWelcome(context, await context.initiate({ bundle, mode: MODE.link, psk, inbox, since }))
}

/** Does the handshake with the owner of a bundle file, who may come online much later. */
export async function answerFile(
  context: PairingContext,
  carrier: string,
  transport: TransportChoice,
): Promise<Paired> {
  const file = readArmour(carrier)
  if (file === undefined) {
    refuseEarlierOffer("file", carrier)
    throw new Fault(
      "bad-data",
      "this bundle file is incomplete",
      "ask for it again: mqttchat pair --file FILE",
    )
  }
  const since = context.mark()
  const bundle = readOfferedBundle(context, file.bundle)
  await ensureMember(context, file, transport)
  const psk = linkPsk(bundle.hash)
  const inbox = context.newInbox()
  const { paired } = await context.initiate({ bundle, mode: MODE.file, psk, name: file.name, inbox, since })
  return paired
}

function accessOf({ proof, invitation, members }: PairingLink): Access {
  if (invitation === undefined) return { proof, entry: { kind: "none" } }
  const entry = { kind: "invitation", invitation } as const
  return { proof, entry, ...(members === undefined ? {} : { members }) }
}

/** Asks every two seconds, from the inbox that will be ours for this contact. */
async function fetchBundle(context: PairingContext, link: PairingLink, inbox: Inbox): Promise<Uint8Array> {
  const { ports } = context
  const connection = await ownConnection(context)
  const request = sealLinkRequest(link.bundleHash, inbox, ports.random)
  const delivered = deferred<Uint8Array>()
  const unsubscribe = await connection.listen(inboxTopic(inbox), (payload) => {
    const bundle = openLinkAnswer(link.bundleHash, payload)
    if (bundle !== undefined) delivered.resolve(bundle)
  })
  const stopAsking = repeat(context, () => connection.publish(inboxTopic(link.inbox), request))
  try {
    return await within(ports, BUNDLE_WITHIN_MS, delivered.promise, absentFault())
  } finally {
    stopAsking()
    unsubscribe()
  }
}

/** Runs `send` now and every two seconds: a request that gets lost is repeated. */
function repeat({ ports }: PairingContext, send: () => Promise<void>): () => void {
  let cancel = (): void => undefined
  const next = (): void => {
    send().catch((fault: unknown) => {
      if (!(fault instanceof Fault)) throw fault
    })
    cancel = ports.after(REPEAT_MS, next)
  }
  next()
  return () => cancel()
}

function absentFault(): Fault {
  return new Fault(
    "unavailable",
    "the person who made this link is not online, or the link was used; no contact was saved",
    "open the link again when they run mqttchat",
  )
}
