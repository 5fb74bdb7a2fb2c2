import { afterAll, beforeAll, expect, test } from "vitest"
import { startRabbitAuthServer, type RabbitAuthServer } from "../../src/registrar/rabbitmq-auth-http.ts"

const ALICE = "AAAAAAAAAAAAAAAAAAAAAA"
const LOST = "BBBBBBBBBBBBBBBBBBBBBA"
const STRANGER = "CCCCCCCCCCCCCCCCCCCCCA"

let server: RabbitAuthServer
beforeAll(async () => {
  const devices = [ALICE, LOST]
  server = await startRabbitAuthServer(0, {
    isDevice: (id) => devices.includes(id),
    mayConnect: (id) => id !== LOST,
  })
})
afterAll(() => server.close())

async function ask(path: string, fields: Record<string, string>): Promise<string> {
  const body = new URLSearchParams({ vhost: "/", ...fields })
  const response = await fetch(`http://127.0.0.1:${String(server.port)}/${path}`, { method: "POST", body })
  return response.ok ? response.text() : String(response.status)
}

test("a device logs in by its certificate only, under its own name [R-15]", async () => {
  expect(await ask("user", { username: ALICE })).toBe("allow")
  expect(await ask("vhost", { username: ALICE, client_id: ALICE })).toBe("allow")
  expect(await ask("vhost", { username: ALICE, client_id: STRANGER })).toBe("deny")
  for (const password of ["", "guest"]) {
    expect(await ask("user", { username: ALICE, client_id: ALICE, password })).toBe("deny")
  }
})

test("a revoked device is refused every request [R-15]", async () => {
  expect(await ask("user", { username: LOST })).toBe("deny")
  const read = { permission: "read", routing_key: `mc.1.i.${LOST}.*` }
  expect(await ask("topic", { username: LOST, "variable_map.client_id": LOST, ...read })).toBe("deny")
})

test("a guest cannot log in under a name with a meaning [R-15]", async () => {
  const guest = { username: "guest", password: "guest" }
  expect(await ask("user", { ...guest, client_id: STRANGER })).toBe("allow")
  for (const client_id of [ALICE, LOST, "registrar", "", "x"]) {
    expect(await ask("user", { ...guest, client_id })).toBe("deny")
  }
})

test("other clients' queues, other exchanges and their creation are refused [R-15]", async () => {
  const alice = { username: ALICE, client_id: ALICE }
  const queue = (name: string) =>
    ask("resource", { ...alice, resource: "queue", name, permission: "configure" })
  expect(await queue(`mqtt-subscription-${ALICE}qos1`)).toBe("allow")
  expect(await queue(`mqtt-subscription-${LOST}qos1`)).toBe("deny")
  const exchange = (name: string, permission: string) =>
    ask("resource", { ...alice, resource: "exchange", name, permission })
  expect(await exchange("amq.topic", "write")).toBe("allow")
  expect(await exchange("amq.topic", "configure")).toBe("deny")
  expect(await exchange("amq.direct", "write")).toBe("deny")
})

test("a request that RabbitMQ would not send is refused [R-15]", async () => {
  expect(await ask("users", {})).toBe("400")
  expect(await ask("user", { username: "x".repeat(5000) })).toBe("400")
  const get = await fetch(`http://127.0.0.1:${String(server.port)}/user?username=${ALICE}`)
  expect(get.status).toBe(400)
})
