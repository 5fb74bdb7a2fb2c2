import { once } from "node:events"
import { createServer, type Server } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { afterEach, beforeEach, expect, test } from "vitest"
import { makeAuthority, makeServerCertificate } from "../../src/broker/certificates.ts"
import type { ConnectionState } from "../../src/transport/transport.ts"
import { portOf } from "../broker/broker-fixture.ts"
import { until } from "../until.ts"
import {
  enrollMember,
  newApplicant,
  newRegistrarFixture,
  type RegistrarFixture,
} from "./registrar-fixture.ts"

const states: ConnectionState[] = []
let fixture: RegistrarFixture

beforeEach(async () => {
  states.length = 0
  fixture = await newRegistrarFixture({ onState: (state) => states.push(state) })
})
afterEach(() => fixture.end())

/** Who answers in the broker's place; each connection is ended. */
const STRANGERS: Record<string, () => Promise<Server>> = {
  "a captive portal": () =>
    Promise.resolve(
      createServer((socket) => socket.on("error", () => undefined).end("HTTP/1.1 302 Found\r\n\r\n")),
    ),
  "a forged certificate": async () => {
    const { certificate: cert, key } = await makeServerCertificate(await makeAuthority(), ["127.0.0.1"])
    const server = createTlsServer({ cert, key, ALPNProtocols: ["mqtt"] }, (socket) => socket.end())
    return server.on("tlsClientError", () => undefined)
  },
}

test.each(Object.keys(STRANGERS))(
  "a registrar in whose broker's place %s answers for a moment works again by itself [D-170]",
  async (who) => {
    const port = portOf(fixture.broker)
    await fixture.broker.close()
    const stranger = await STRANGERS[who]!()
    stranger.listen(port, "127.0.0.1")
    await once(stranger, "listening")
    await until(() => states.some(({ kind }) => kind === "stopped"))
    stranger.close()
    await fixture.brokerFixture.start({ listen: [{ host: "127.0.0.1", port }] })
    await until(() => states.at(-1)?.kind === "online")
    const { deviceId } = await enrollMember(fixture, newApplicant())
    expect(deviceId).toHaveLength(22)
  },
)

test("a registrar that is closed tries nothing any more", async () => {
  const port = portOf(fixture.broker)
  await fixture.broker.close()
  const stranger = (await STRANGERS["a captive portal"]!()).listen(port, "127.0.0.1")
  await once(stranger, "listening")
  let connections = 0
  stranger.on("connection", () => (connections += 1))
  await until(() => states.some(({ kind }) => kind === "stopped"))
  await fixture.registrar.close()
  const before = connections
  // Longer than the first pause, which is a second at most.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(connections).toBe(before)
  stranger.close()
})
