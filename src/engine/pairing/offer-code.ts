import { CODE_LIFETIME_MS } from "../../pairing/timeouts.ts"
import type { WordCount } from "../../pairing/code.ts"
import { wordsFor } from "../../pairing/guesses.ts"
import { formatAddress } from "../../wire/address.ts"
import { CodeOffer } from "./code-offer.ts"
import { ownBroker, requireRegistrar } from "./grant.ts"
import { recentGuesses } from "./rate-memory.ts"
import { drawCode } from "./nameplate.ts"
import { ownConnection } from "./own-connection.ts"
import type { PairingContext, Invited, Offered } from "../state/ports.ts"
import { guestAddressOf } from "../connection/broker-addresses.ts"

/** Shows a code and lets in one caller who has it too [P-20] to [P-25]. */
export async function offerCode(context: PairingContext, wanted: WordCount, to: Invited): Promise<Offered> {
  const { ports } = context
  if (to === "device") requireRegistrar(context)
  const connection = await ownConnection(context)
  const words = wordsFor(wanted, recentGuesses(context.queue.state(), ports.now()))
  const claimed = await drawCode(ports, connection, words)
  const offer = new CodeOffer(context, { ...claimed, to })
  const expiresAt = ports.wallClock() + CODE_LIFETIME_MS
  const address = formatAddress(guestAddressOf(ownBroker(context)))
  return {
    offer: { kind: "code", id: offer.id, code: claimed.code.text, address, expiresAt },
    isLive: () => offer.isLive(),
    cancel: () => offer.cancel(),
  }
}
