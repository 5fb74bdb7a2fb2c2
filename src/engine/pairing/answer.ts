import { answerCode } from "./answer-code.ts"
import { answerFile, answerLink } from "./answer-link.ts"
import type { AnswerOffer } from "../state/ports.ts"

/** Answers an offer by code, link or file. */
export const answerOffer: AnswerOffer = (context, { kind, offer, insecureTransport, timeoutMs }) => {
  const choice = { insecure: insecureTransport === true, ...(timeoutMs !== undefined && { timeoutMs }) }
  switch (kind) {
    case "code":
      return answerCode(context, offer, choice)
    case "link":
      return answerLink(context, offer, choice)
    case "file":
      return answerFile(context, offer, choice)
  }
}
