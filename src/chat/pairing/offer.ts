import { offerCode } from "./offer-code.ts"
import { offerFile, offerLink } from "./offer-link.ts"
import type { StartOffer } from "../ports.ts"

/** Offers this profile's keys by code, link or file. */
export const startOffer: StartOffer = (desk, { by, words }, to) => {
  switch (by) {
    case "code":
      return offerCode(desk, words, to)
    case "link":
      return offerLink(desk)
    case "file":
      return offerFile(desk)
  }
}
