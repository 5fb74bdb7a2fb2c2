import { readFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { DRAWN, drawings } from "../../scripts/state-drawings.ts"
import { afterHandshake, afterMessage, DEVICE_TRANSITIONS } from "../../src/engine/contacts/device-state.ts"
import { statesBefore, MESSAGE_TRANSITIONS } from "../../src/store/message-states.ts"

test("ARCHITECTURE.md draws the state machines of the code", () => {
  const page = readFileSync(join(import.meta.dirname, "../../ARCHITECTURE.md"), "utf8")
  const [begin, end] = DRAWN
  expect(page.split(begin)[1]?.split(end)[0]?.trim(), "run: npm run docs").toBe(drawings().trim())
})

const handshake = fc.constantFrom(
  "we answer their offer" as const,
  "they answer our offer" as const,
  "we start a recovery" as const,
  "they start a recovery" as const,
)

/** The next state [S-14] [D-30], stated apart from the code: after a message, and after one that begins a chain. */
const BY_HANDSHAKE = {
  "we answer their offer": "init-sent",
  "they answer our offer": "unconfirmed",
  "we start a recovery": "recovering",
  "they start a recovery": "unconfirmed",
}
const BY_MESSAGE = {
  "init-sent": ["established", "established"],
  unconfirmed: ["unconfirmed", "established"],
  established: ["established", "established"],
  recovering: ["established", "established"],
}

test("each event takes a device to its next state, and only along the table", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(handshake, fc.boolean()), { maxLength: 20 }), (events) => {
      let state = afterHandshake("they answer our offer")
      for (const event of events) {
        const next = typeof event === "string" ? afterHandshake(event) : afterMessage(state, event)
        expect(next).toBe(typeof event === "string" ? BY_HANDSHAKE[event] : BY_MESSAGE[state][Number(event)])
        expect([state, ...Object.values(DEVICE_TRANSITIONS[state])]).toContain(next)
        state = next
      }
    }),
  )
})

test("[D-10] the state of a text never goes back, and a later state implies the earlier ones", () => {
  const reach = (state: keyof typeof MESSAGE_TRANSITIONS): string[] =>
    MESSAGE_TRANSITIONS[state].flatMap((next) => [next, ...reach(next)])
  for (const state of Object.keys(MESSAGE_TRANSITIONS) as (keyof typeof MESSAGE_TRANSITIONS)[]) {
    expect(reach(state)).not.toContain(state)
    for (const from of statesBefore(state)) expect(MESSAGE_TRANSITIONS[from]).toContain(state)
  }
  expect(statesBefore("broker")).toEqual(["queued"])
})
