import { Fault } from "../../errors.ts"
import { earlierOffer } from "../../pairing/earlier-offer.ts"
import { ANY_TIME, type Bundle, isEarlierBundle, readBundle } from "../../session/bundle.ts"
import { within } from "./own-connection.ts"
import { day } from "../state/clock-doubt.ts"
import type { PairingContext, Initiated, Paired } from "../state/ports.ts"

/** The owner was online a moment ago; if its answer takes longer, it is on its way and the contact is kept. */
const WELCOME_WITHIN_MS = 30_000

/** The bundle of an offer, its signature and its time checked. Faults `bad-data`. */
export function readOfferedBundle({ ports }: PairingContext, bytes: Uint8Array): Bundle {
  const now = ports.wallClock()
  const bundle = readBundle(bytes, ANY_TIME)
  if (bundle !== undefined && bundle.notAfter * 1000 < now) throw overFault(bundle.notAfter * 1000, now)
  if (bundle !== undefined) return bundle
  if (isEarlierBundle(bytes)) throw earlierOffer("offer")
  throw new Fault("bad-data", "this offer is damaged; no contact was saved", "ask for a new one")
}

/** Whose clock is wrong, if one is, cannot be told from here [D-109]. */
function overFault(end: number, now: number): Fault {
  return new Fault(
    "bad-data",
    `this offer ended on ${day(end)}, and this machine's clock shows ${day(now)}; no contact was saved`,
    "check this machine's clock, and theirs; if both are right, ask for a new offer",
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
