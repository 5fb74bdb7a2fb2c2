import { Fault } from "../../errors.ts"
import type { AnswerEffect } from "../../pairing/answer.ts"
import type { OfferEffect } from "../../pairing/offer.ts"
import { type Address, formatAddress } from "../../wire/address.ts"
import type { BrokerConfig } from "../state/ports.ts"

/** How an exchange can fail, on either side. */
export type CodeFailure =
  Extract<OfferEffect, { kind: "failed" }>["why"] | Extract<AnswerEffect, { kind: "failed" }>["why"]

const NEW_CODE = "a new code, on either side: mqttchat pair"

/** Both sides get the same words, since neither can tell a mistake from an attack [P-24]. */
export function codeFault(why: CodeFailure): Fault {
  switch (why) {
    case "mismatch":
    case "crowded":
    case "used":
      return new Fault(
        "refused",
        "the code did not match, or someone else used it; it is now invalid on both sides and no contact was saved",
        NEW_CODE,
      )
    case "absent":
    case "expired":
      return new Fault(
        "refused",
        "this code is not valid: a code lasts ten minutes and works for one try; no contact was saved",
        NEW_CODE,
      )
    case "silent":
      return new Fault("unavailable", "the other side went away; no contact was saved", NEW_CODE)
  }
}

export function pinMismatch(name: string): Fault {
  return new Fault(
    "protocol",
    `${name} is not the broker of the person who gave you this: someone may be intercepting; no contact was saved`,
    "check the address, and pair again on a network you trust",
  )
}

/** A stranger may have named the other address, so no command that could be pasted names it. */
export function otherBroker({ address, trust }: BrokerConfig, at: Address): Fault {
  const [known, other] = [formatAddress(address), formatAddress(at)]
  return new Fault(
    "config",
    `this profile is at the broker ${known}, and ${other} is another one`,
    `mqttchat --profile NAME pair${IF_MOVED[trust.kind]}`,
  )
}

/** A pin finds its broker at another address by itself. */
const IF_MOVED: Readonly<Record<BrokerConfig["trust"]["kind"], string>> = {
  pin: "",
  name: ", or if your broker has moved: mqttchat config set broker HOST[:PORT]",
  insecure: ", or if your broker has moved: mqttchat config set broker HOST[:PORT] --insecure-transport",
}
