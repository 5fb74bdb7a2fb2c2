import { Fault } from "../../errors.ts"
import type { BrokerProof } from "../../wire/access.ts"
import { formatAddress } from "../../wire/address.ts"
import type { BrokerConfig } from "../state/ports.ts"

/** What the user typed: only these words lead to a broker without TLS, never what another user, a link or a file says. */
export type TransportChoice = {
  readonly insecure: boolean
  /** How long to wait for a broker that is new to the profile. */
  readonly timeoutMs?: number
}

/** Refuses access to a broker of the other kind than the user typed [P-28]. */
export function checkTransport(proof: BrokerProof, { insecure }: TransportChoice): void {
  if ((proof.kind === "insecure") === insecure) return
  throw insecure
    ? new Fault(
        "refused",
        "the other side's broker has TLS, and you asked for one without; no contact was saved",
        "mqttchat pair OFFER, without --insecure-transport",
      )
    : new Fault(
        "refused",
        "the other side's broker has no TLS, so who talks when would be open to the network; no contact was saved",
        "if you both want that: mqttchat pair --insecure-transport OFFER",
      )
}

/** A profile with TLS stays with TLS. */
export function checkKnownBroker(broker: BrokerConfig | undefined, { insecure }: TransportChoice): void {
  if (!insecure || broker === undefined || broker.trust.kind === "insecure") return
  throw new Fault(
    "usage",
    `this profile is at the broker ${formatAddress(broker.address)}, which has TLS`,
    "leave out --insecure-transport, or use another profile: mqttchat --profile OTHER pair",
  )
}

/** A server that ends the connection at the first bytes of TLS may have none; the user decides, nothing is tried. */
export function suggestInsecure(fault: Fault): Fault {
  const hint = "if it has no TLS and you both want that: mqttchat pair --insecure-transport CODE@HOST:PORT"
  return new Fault(fault.code, fault.message, hint, fault.cause)
}
