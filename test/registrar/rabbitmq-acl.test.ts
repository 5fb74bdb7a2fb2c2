import fc from "fast-check"
import { expect, test } from "vitest"
import { claim, mayPublish, maySubscribe, NO_CLAIMS, type Principal } from "../../src/broker/acl.ts"
import { allows } from "../../src/registrar/rabbitmq-acl.ts"
import { REGISTRAR_ID } from "../../src/wire/access-rules.ts"

const ALICE = "AAAAAAAAAAAAAAAAAAAAAA"
const BOB = "BBBBBBBBBBBBBBBBBBBBBA"
const GUEST = "CCCCCCCCCCCCCCCCCCCCCA"
const KNOWN = { isDevice: (id: string) => id !== GUEST, mayConnect: () => true }

const owner = fc.constantFrom(ALICE, BOB, "+", "5", "6")
const anyTopic = fc
  .tuple(fc.constantFrom("i", "p", "reg/q", "reg/a", "x"), owner, owner)
  .map(([branch, one, two]) => (branch === "i" ? `mc/1/i/${one}/${two}` : `mc/1/${branch}/${one}`))

/** The answer to RabbitMQ, which writes topics as AMQP does. */
function answer(client: string, user: string, permission: string, topic: string): boolean {
  const routing_key = topic.replaceAll("/", ".").replaceAll("+", "*")
  return allows(
    "topic",
    new URLSearchParams({ username: user, client_id: client, permission, routing_key }),
    KNOWN,
  )
}

test("RabbitMQ gets the decision of the embedded broker [R-15]", () => {
  const principals: readonly (readonly [client: string, user: string, principal: Principal])[] = [
    [ALICE, ALICE, { kind: "device", id: ALICE }],
    [REGISTRAR_ID, REGISTRAR_ID, { kind: "registrar" }],
  ]
  fc.assert(
    fc.property(fc.constantFrom(...principals), anyTopic, ([client, user, principal], topic) => {
      expect(answer(client, user, "write", topic)).toBe(mayPublish(principal, topic))
      expect(answer(client, user, "read", topic)).toBe(maySubscribe(principal, topic))
    }),
    { numRuns: 1_000 },
  )
})

test("a guest may use every topic there that it could claim here", () => {
  fc.assert(
    fc.property(anyTopic, (topic) => {
      const principal: Principal = { kind: "guest", claims: claim(NO_CLAIMS, topic) ?? NO_CLAIMS }
      expect(answer(GUEST, "guest", "write", topic)).toBe(mayPublish(principal, topic))
      expect(answer(GUEST, "guest", "read", topic)).toBe(maySubscribe(principal, topic))
    }),
  )
})
