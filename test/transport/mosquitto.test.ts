import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { NO_DEBUG } from "../../src/debug/debug.ts"
import { pinOf } from "../../src/broker/certificates.ts"
import { boxKeyPair } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { type Ledger, openLedger } from "../../src/registrar/ledger.ts"
import { inviteUser } from "../../src/registrar/members.ts"
import { openRegistrar, type Registrar } from "../../src/registrar/registrar.ts"
import { enroll, renew, requestInvitation } from "../../src/transport/enroll.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Credential } from "../../src/transport/transport.ts"
import { mint, newId } from "../broker/broker-fixture.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { newApplicant } from "../registrar/registrar-fixture.ts"
import { openTransport, type TransportFixture } from "./transport-fixture.ts"

const clients: TransportFixture[] = []

function connect(broker: Mosquitto, credential: Credential): TransportFixture {
  const port = credential.kind === "guest" ? broker.guestPort : broker.port
  const trust = { kind: "pin", pin: pinOf(broker.authority.caCertificate) } as const
  const client = openTransport({ address: { host: "127.0.0.1", port }, trust, credential })
  clients.push(client)
  return client
}

const account = (username: string, password: string): Credential => ({
  kind: "account",
  deviceId: newId(),
  username,
  password,
})

const text = (payload: Uint8Array) => Buffer.from(payload).toString()

describe.skipIf(mosquittoIsMissing())("a real Mosquitto with the files that we ship", () => {
  let broker: Mosquitto
  let registrar: Registrar
  let ledger: Ledger

  beforeAll(async () => {
    broker = await startMosquitto("shipped")
    const pin = pinOf(broker.authority.caCertificate)
    ledger = await openLedger(join(broker.folder, "ledger"))
    registrar = await openRegistrar({
      connect: connectMqtt,
      address: { host: "127.0.0.1", port: broker.port },
      trust: { kind: "pin", pin },
      pin,
      keys: broker.authority,
      boxSecret: boxKeyPair(systemRandom).secretKey,
      ledger,
      brokerControl: () => ({ publishCrl: () => Promise.resolve(), disconnect: () => Promise.resolve() }),
      onState: () => undefined,
      onAdmitted: () => undefined,
      random: systemRandom,
      now: Date.now,
      onTrouble: () => undefined,
      reach: () => undefined,
      debug: NO_DEBUG,
    })
  })
  afterAll(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()))
    await registrar.close()
    await ledger.close()
    await broker.close()
  })

  test("speaks MQTT 5, registers a guest, and keeps the member's queue through a restart [R-3] [R-5] [R-6]", async () => {
    const alice = newApplicant()
    const { invitation } = await inviteUser(registrar, { name: "alice", again: false })
    const credential = await enroll(alice, {
      publisher: connect(broker, { kind: "guest" }),
      invitation,
      deviceName: "laptop",
    })
    const own = connect(broker, credential)
    expect(await own.state("online")).toMatchObject({ mqttVersion: 5, sessionPresent: false })

    const { publicKey } = registrar
    const asked = { publisher: own, registrar: publicKey, deviceId: credential.deviceId }
    const toBob = await requestInvitation(alice, asked)
    const bob = await enroll(newApplicant(), {
      publisher: connect(broker, { kind: "guest" }),
      invitation: toBob,
      deviceName: "b",
    })
    const renewed = await renew(alice, { publisher: own, registrar: publicKey, credential, guest: false })
    expect(renewed.deviceId).toBe(credential.deviceId)

    const mailbox = `mc/1/i/${credential.deviceId}/${newId()}`
    await own.transport.subscribe(mailbox)
    await own.close()
    const sender = connect(broker, bob)
    await sender.state("online")
    await sender.publish(mailbox, Buffer.from("while you were away"))
    await broker.restart("SIGTERM")

    const back = connect(broker, renewed)
    expect(text((await back.frame()).payload)).toBe("while you were away")
    expect(back.states[0]).toMatchObject({ kind: "online", sessionPresent: true })
    await sender.state("online")
    await sender.publish(mailbox, Buffer.from("and after"))
    expect(text((await back.frame()).payload)).toBe("and after")
  })

  test("refuses a stranger's certificate for good", async () => {
    const other = await startMosquitto("open")
    const { id, certificate, key } = await mint(other.authority, newId())
    await other.close()
    const client = connect(broker, { kind: "device", deviceId: id, certificate, key })
    expect((await client.state("stopped")).why).toMatchObject({ code: "refused" })
  })
})

describe.skipIf(mosquittoIsMissing())("an external Mosquitto", () => {
  let broker: Mosquitto
  beforeAll(async () => {
    broker = await startMosquitto("accounts")
  })
  afterAll(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()))
    await broker.close()
  })

  test("carries a message between two accounts", async () => {
    const alice = connect(broker, account("alice", "correct"))
    const bob = connect(broker, account("bob", "horse"))
    const mailbox = `mc/1/i/${newId()}/${newId()}`
    await alice.transport.subscribe(mailbox)
    await bob.state("online")
    await bob.publish(mailbox, Buffer.from("hello"))
    expect(text((await alice.frame()).payload)).toBe("hello")
  })

  test("that refuses a password is not tried again", async () => {
    const { why } = await connect(broker, account("alice", "wrong")).state("stopped")
    expect(why.code).toBe("refused")
  })

  test("comes back after kill -9, and so does the connection", async () => {
    const alice = connect(broker, account("alice", "correct"))
    const mailbox = `mc/1/i/${newId()}/${newId()}`
    await alice.transport.subscribe(mailbox)
    const down = alice.state("offline")
    await broker.restart("SIGKILL")
    await down
    await alice.state("online")
    await alice.transport.subscribe(mailbox)
    await alice.publish(mailbox, Buffer.from("again"))
    expect(text((await alice.frame()).payload)).toBe("again")
  })
})
