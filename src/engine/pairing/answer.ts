import { answerCode } from "./answer-code.ts"
import { answerFile, answerLink } from "./answer-link.ts"
import type { AnswerOffer } from "../state/ports.ts"

/** Answers what somebody offered by code, link or file. */
export const answerOffer: AnswerOffer = (context, { by, carrier }) => {
  switch (by) {
    case "code":
      return answerCode(context, carrier)
    case "link":
      return answerLink(context, carrier)
    case "file":
      return answerFile(context, carrier)
  }
}
