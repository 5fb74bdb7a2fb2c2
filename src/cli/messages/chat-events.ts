import type { ConnectionStatus, Event, Message } from "../../engine/api.ts"
import { shellCommand } from "../../shell-command.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import { markedName } from "../terminal/format.ts"

type Introduction = Extract<Event, { kind: "introduction" }>["introduction"]

/** An event as one row; of receipts only that a message never arrived. */
export function eventText(event: Event, contact: string): SafeText | undefined {
  switch (event.kind) {
    case "message":
      return safe`${displayName(event.message.contact)} wrote to you`
    case "receipt":
      return event.contact === contact ? receiptText(event.state) : undefined
    case "connection":
      return connectionText(event.connection)
    case "paired":
      return safe`paired with ${markedName(event.contact.name)}`
    case "notice":
      return [null, contact].includes(event.contact) ? display(event.text) : undefined
    case "typing":
      return event.typing && event.contact === contact ? safe`${displayName(contact)} is writing` : undefined
    case "introduction":
      return event.introduction.contact === contact ? undefined : introductionText(event.introduction)
    case "locked":
      return safe`the keys were locked, nothing is sent or received: mqttchat daemon unlock`
    case "unlocked":
      return safe`the keys are unlocked again`
    case "pairing-ended":
      return safe`the pairing with ${displayName(event.contact)} was ended: ${display(event.reason)}`
    case "words-rejected":
      return event.contact === contact ? undefined : rejectedText(event.contact)
    case "changed":
    case "words":
    case "pair-answered":
    case "pair-guessed":
    case "pair-failed":
    case "conversation":
    case "dropped":
      return undefined
  }
}

/** In the conversation with the introducer a line says so. */
function introductionText({ id, contact, name }: Introduction): SafeText {
  const how = shellCommand`mqttchat introductions accept ${String(id)}`
  return safe`${displayName(contact)} would introduce ${displayName(name)} to you: ${how}`
}

/** In their own conversation a line says so. It is told also of a contact that is muted. */
function rejectedText(contact: string): SafeText {
  const how = shellCommand`mqttchat verify ${contact}`
  return safe`${displayName(contact)} says that the words you compared are not the same; compare again: ${how}`
}

function receiptText(state: Message["state"]): SafeText | undefined {
  return state === "given-up" ? safe`a message was NOT DELIVERED` : undefined
}

export function connectionText(connection: ConnectionStatus): SafeText {
  return connection.kind === "online" ? safe`connected` : safe`not connected: ${display(connection.reason)}`
}
