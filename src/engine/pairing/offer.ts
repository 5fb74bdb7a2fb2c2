import { offerCode } from "./offer-code.ts"
import { offerFile, offerLink } from "./offer-link.ts"
import type { StartOffer } from "../state/ports.ts"

/** Offers this profile's keys by code, link or file. */
export const startOffer: StartOffer = (context, { kind, wordCount }, to) => {
  switch (kind) {
    case "code":
      return offerCode(context, wordCount, to)
    case "link":
      return offerLink(context)
    case "file":
      return offerFile(context)
  }
}
