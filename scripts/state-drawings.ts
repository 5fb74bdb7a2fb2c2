import { BROKER_TRANSITIONS } from "../src/engine/connection/broker-state.ts"
import { DEVICE_TRANSITIONS } from "../src/engine/contacts/device-state.ts"
import { COMPARISON_TRANSITIONS } from "../src/session/comparison.ts"
import { PQ_TRANSITIONS } from "../src/session/state.ts"
import { MESSAGE_TRANSITIONS } from "../src/store/message-states.ts"
import { FRAME_TRANSITIONS } from "../src/engine/state/receive-result.ts"

/** `npm run docs` draws the part of ARCHITECTURE.md between these lines. */
export const DRAWN = ["<!-- drawn by `npm run docs` -->\n", "<!-- end of the drawings -->\n"] as const

type Transitions = Readonly<Record<string, Readonly<Record<string, string>>>>

/** The state machines as the code has them, in mermaid. */
export function drawings(): string {
  return [
    drawing("A device of a contact (`src/engine/contacts/device-state.ts`)", "none", DEVICE_TRANSITIONS),
    drawing("A text of ours (`src/store/message-states.ts`)", "queued", textTransitions()),
    drawing("A frame of theirs (`src/engine/state/receive-result.ts`)", "arrived", FRAME_TRANSITIONS),
    drawing("The words to compare, at the initiator (`src/session/comparison.ts`)", "committed", {
      committed: COMPARISON_TRANSITIONS.committed,
    }),
    drawing("The words to compare, at the owner (`src/session/comparison.ts`)", "answered", {
      answered: COMPARISON_TRANSITIONS.answered,
    }),
    drawing("A post-quantum step of ours (`src/session/state.ts`)", "idle", PQ_TRANSITIONS),
    drawing(
      "The profile's connection to its broker (`src/engine/connection/broker-state.ts`)",
      "no-broker",
      BROKER_TRANSITIONS,
    ),
  ].join("\n")
}

/** The moves of our texts: each state is reached by an event of its own name. */
function textTransitions(): Transitions {
  const ours = Object.entries(MESSAGE_TRANSITIONS).filter(([from]) => from !== "received")
  const transitions = ours.map(([from, to]) => [from, Object.fromEntries(to.map((state) => [state, state]))])
  return Object.fromEntries(transitions) as Transitions
}

function drawing(title: string, start: string, transitions: Transitions): string {
  const arrows = Object.entries(transitions).flatMap(([from, events]) =>
    Object.entries(events).map(
      ([event, to]) => `  ${id(from)} --> ${id(to)}${event === to ? "" : `: ${event}`}`,
    ),
  )
  return [
    `${title}:`,
    "",
    "```mermaid",
    "stateDiagram-v2",
    `  [*] --> ${id(start)}`,
    ...arrows,
    "```",
    "",
  ].join("\n")
}

/** Mermaid takes no hyphen in a name. */
function id(state: string): string {
  return state.replaceAll("-", "_")
}
