import { Fault } from "../errors.ts"
import { isEarlierPairingLink } from "../wire/pairing-link.ts"
import { isEarlierArmour } from "./armour.ts"

/** Fault `bad-data` for a link or file of an earlier version, whose bundle this one cannot answer [W-43] [P-40]. */
export function refuseEarlierOffer(kind: "link" | "file", text: string): void {
  const isEarlier = kind === "link" ? isEarlierPairingLink(text) : isEarlierArmour(text)
  if (isEarlier) throw earlierOffer(kind)
}

export function earlierOffer(what: "link" | "file" | "offer"): Fault {
  const why = `this ${what} was made by an earlier version of mqttchat, and this one cannot answer it`
  return new Fault("bad-data", why, "ask for a new one, made by this version: mqttchat pair")
}
