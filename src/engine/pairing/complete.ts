import { Fault } from "../../errors.ts"
import { earlierOffer } from "../../pairing/earlier-offer.ts"
import { type Bundle, isEarlierBundle, readBundle } from "../../session/bundle.ts"
import { within } from "./own-connection.ts"
import type { PairingContext, Initiated, Paired } from "../state/ports.ts"

/** The owner was online a moment ago; if its answer takes longer, it is on its way and the contact is kept. */
const WELCOME_WITHIN_MS = 30_000

/** The bundle of an offer, its signature and its time checked. Faults `bad-data`. */
export function readOfferedBundle({ ports }: PairingContext, bytes: Uint8Array): Bundle {
  const bundle = readBundle(bytes, Math.floor(ports.wallClock() / 1000))
  if (bundle !== undefined) return bundle
  if (isEarlierBundle(bytes)) throw earlierOffer("offer")
  throw new Fault(
    "bad-data",
    "this offer is damaged or has expired; no contact was saved",
    "ask for a new one",
  )
}

/** The peer's first answer, which confirms the keys. */
export function awaitWelcome({ ports }: PairingContext, { paired, welcomed }: Initiated): Promise<Paired> {
  const late = new Fault(
    "unavailable",
    `the other side has not answered yet; it is kept as ${paired.contact.name} and finishes by itself`,
    "mqttchat contacts",
  )
  return within(ports, WELCOME_WITHIN_MS, welcomed, late)
}
