import { answerCode } from "./answer-code.ts"
import { answerFile, answerLink } from "./answer-link.ts"
import type { AnswerOffer } from "../ports.ts"

/** Answers what somebody offered by code, link or file. */
export const answerOffer: AnswerOffer = (desk, { by, carrier }) => {
  switch (by) {
    case "code":
      return answerCode(desk, carrier)
    case "link":
      return answerLink(desk, carrier)
    case "file":
      return answerFile(desk, carrier)
  }
}
