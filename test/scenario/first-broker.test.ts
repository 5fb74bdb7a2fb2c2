import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createServer, type AddressInfo, type Server } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { makeAuthority, makeServerCertificate } from "../../src/broker/certificates.ts"
import { formatInvitationLink, parseInvitationLink } from "../../src/wire/invitation-link.ts"
import { invitationFor } from "./membership.ts"
import { CONNACK, startScriptedServer } from "../transport/scripted-servers.ts"
import {
  initHost,
  type JsonProcess,
  schemaIs,
  ScenarioFixture,
  startBroker,
  type User,
} from "./scenario-fixture.ts"

const fixture = new ScenarioFixture()
const alice = fixture.user("alice")
const servers: { readonly close: () => unknown }[] = []
let broker: JsonProcess
let address: string
let pin: string

beforeAll(async () => {
  await initHost(alice)
  broker = await startBroker(alice)
  const running = await broker.waitForOutput(schemaIs("broker"))
  address = `127.0.0.1:${String(running["port"])}`
  pin = String(running["pin"])
})
afterAll(async () => {
  for (const server of servers) await server.close()
  await fixture.end()
})

async function listening(server: Server): Promise<string> {
  servers.push(server)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answers each connection with these bytes, once something has come that they answer. */
function answering(first: number, answer: Buffer | string): Promise<string> {
  return listening(
    createServer((socket) => {
      socket.on("error", () => socket.destroy())
      socket.once("data", (bytes) => (bytes[0] === first ? socket.end(answer) : socket.destroy()))
    }),
  )
}

async function tlsServer(change: {
  readonly maxVersion?: "TLSv1.2"
  readonly answer: string
}): Promise<string> {
  const { certificate, key } = await makeServerCertificate(await makeAuthority(), ["127.0.0.1"])
  const { answer, ...versions } = change
  return listening(
    createTlsServer({ cert: certificate, key, ...versions }, (socket) => {
      socket.on("error", () => socket.destroy())
      socket.once("data", () => socket.end(answer))
    }),
  )
}

/** An address where nothing listens any more. */
async function deadAddress(): Promise<string> {
  const server = createServer()
  const at = await listening(server)
  server.close()
  await once(server, "close")
  servers.splice(servers.indexOf(server), 1)
  return at
}

let users = 0

async function init(
  user: User,
  ...flags: readonly string[]
): Promise<{ code: number | null; stderr: string }> {
  return user.run(["init", "--name", "bob", "--no-passphrase", "--no-input", ...flags])
}

const newUser = (): User => fixture.user(`user${(users += 1)}`)

async function hasProfile(user: User): Promise<boolean> {
  return (await user.run(["config", "list"])).code === 0
}

const HTTP = "HTTP/1.1 400 Bad Request\r\n\r\n"
const CONNECT = 0x10

describe("init tries the broker, and makes no profile where it finds", () => {
  test.each([
    ["MQTT without TLS", () => answering(CONNECT, CONNACK(0)), "this port speaks MQTT without TLS"],
    ["a web server", () => answering(CONNECT, HTTP), "this port speaks HTTP"],
    ["a web server over TLS", () => tlsServer({ answer: HTTP }), "this port speaks HTTP over TLS"],
    ["TLS 1.2", () => tlsServer({ answer: "", maxVersion: "TLSv1.2" }), "an older TLS than 1.3"],
    ["something else", () => answering(CONNECT, "220 mail.example ESMTP\r\n"), "something else than MQTT"],
  ])("%s", async (_what, serve, cause) => {
    const bob = newUser()
    const refused = await init(bob, "--broker", await serve())
    expect([refused.code, refused.stderr]).toEqual([76, expect.stringContaining(cause)])
    expect(await hasProfile(bob)).toBe(false)
  })

  test("an authority that it does not know, whose pin it shows", async () => {
    const bob = newUser()
    const refused = await init(bob, "--broker", address)
    expect([refused.code, refused.stderr]).toEqual([64, expect.stringContaining(`--pin ${pin}`)])
    expect(await hasProfile(bob)).toBe(false)
    expect((await init(bob, "--broker", address, "--pin", pin)).code).toBe(0)
    expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
  })

  test("another key than the pin", async () => {
    const bob = newUser()
    const refused = await init(bob, "--broker", address, "--pin", "00".repeat(16))
    expect([refused.code, refused.stderr]).toEqual([76, expect.stringContaining(pin)])
    expect(await hasProfile(bob)).toBe(false)
  })

  test("one key at one address and another at the next", async () => {
    const authority = await makeAuthority()
    const { certificate, key } = await makeServerCertificate(authority, ["127.0.0.1"])
    const other = await startScriptedServer({ cert: `${certificate}\n${authority.caCertificate}`, key }, () =>
      CONNACK(0),
    )
    servers.push(other)
    const refused = await init(newUser(), "--broker", `${address},127.0.0.1:${other.port}`, "--pin", pin)
    expect(refused.code).toBe(76)
  })
})

/** A broker whose authority this machine trusts by itself, as the public ones are. */
async function publicBroker(name: string): Promise<{ at: string; env: NodeJS.ProcessEnv }> {
  const authority = await makeAuthority()
  const { certificate, key } = await makeServerCertificate(authority, [name])
  const server = await startScriptedServer({ cert: certificate, key }, () => CONNACK(0))
  servers.push(server)
  const file = join(fixture.folder, `${name}.pem`)
  writeFileSync(file, authority.caCertificate)
  return { at: `localhost:${server.port}`, env: { NODE_EXTRA_CA_CERTS: file } }
}

test("a publicly trusted broker needs no pin, but the right name", async () => {
  const [right, wrong] = [await publicBroker("localhost"), await publicBroker("chat.example.org")]
  const command = ["init", "--name", "bob", "--no-passphrase", "--broker"]
  const bob = newUser()
  expect((await bob.run([...command, right.at], { env: right.env })).code).toBe(0)
  expect(await bob.runJson("config", "get", "broker.pin")).toMatchObject([{ value: null }])
  const refused = await newUser().run([...command, wrong.at], { env: wrong.env })
  expect([refused.code, refused.stderr]).toEqual([76, expect.stringContaining("chat.example.org")])
})

test("an invitation without a pin to an authority that is not known takes the pin that the user confirms", async () => {
  const line = parseInvitationLink(await invitationFor(alice, "carol"))
  if (line === undefined) throw new Error("no invitation")
  const invitation = formatInvitationLink({ ...line, proof: { kind: "name" } })
  const carol = newUser()
  const unsure = await init(carol, "--broker", invitation)
  expect([unsure.code, unsure.stderr]).toEqual([
    64,
    expect.stringContaining(`mqttchat init --broker INVITATION --pin ${pin}`),
  ])
  expect(await hasProfile(carol)).toBe(false)
  expect((await init(carol, "--broker", invitation, "--pin", "00".repeat(16))).code).toBe(76)
  expect((await init(carol, "--broker", invitation, "--pin", pin)).code).toBe(0)
  expect(await carol.runJson("config", "get", "broker.pin")).toMatchObject([{ value: pin }])
  expect(await carol.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
})

test("another publicly trusted name is another broker, and takes the user's word and no account along", async () => {
  const ours = await publicBroker("localhost")
  const others = await publicBroker("127.0.0.1")
  const other = others.at.replace("localhost", "127.0.0.1")
  const bob = newUser()
  const account = ["--username", "bob", "--password-file", "-"]
  const made = bob.start(["init", "--name", "bob", "--no-passphrase", "--broker", ours.at, ...account], {
    env: ours.env,
  })
  made.type("horse\n")
  made.endInput()
  expect((await made.ended()).code).toBe(0)
  const before = readFileSync(bob.file("settings.json"), "utf8")
  const change = ["config", "set", "broker", other]
  const unsure = await bob.run(change, { env: others.env })
  expect([unsure.code, unsure.stderr]).toEqual([64, expect.stringContaining(`${other} is another one`)])
  expect(unsure.stderr).toContain(ours.at)
  expect(readFileSync(bob.file("settings.json"), "utf8")).toBe(before)
  const coded = await bob.run(["pair", `7-crowd-river@${other}`], { env: others.env })
  expect([coded.code, coded.stderr]).toEqual([78, expect.stringContaining("config set broker HOST[:PORT]")])
  expect(coded.stderr).not.toContain(`config set broker ${other}`)
  expect((await bob.run([...change, "--username", "al"], { env: others.env })).code).toBe(0)
  expect((await bob.runJson("config", "get", "broker"))[0]).toMatchObject({ value: other })
})

test("a broker that does not answer is kept and said, and corrected when it is there", async () => {
  const bob = newUser()
  const made = await init(bob, "--broker", await deadAddress())
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining("mqttchat config set broker")])
  const unsure = await bob.run(["config", "set", "broker", address])
  expect([unsure.code, unsure.stderr]).toEqual([64, expect.stringContaining(`--pin ${pin}`)])
  await bob.runJson("config", "set", "broker", address, "--pin", pin)
  expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" }, broker: address }])
})

test("a name that leads nowhere is kept and said", async () => {
  const made = await init(newUser(), "--broker", "no-such-broker.invalid")
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining("the address is kept")])
})

test("a wrong pin is corrected, both are shown, and a daemon takes it over", async () => {
  const bob = newUser()
  const wrong = "00".repeat(16)
  await bob.runJson(
    "init",
    "--name",
    "bob",
    "--no-passphrase",
    "--broker",
    await deadAddress(),
    "--pin",
    wrong,
  )
  const daemon = bob.start(["daemon"])
  await daemon.prints(/daemon running/)
  const unsure = await bob.run(["config", "set", "broker", address])
  expect([unsure.code, unsure.stderr]).toEqual([64, expect.stringContaining(wrong)])
  expect(unsure.stderr).toContain(pin)
  const corrected = await bob.run(["config", "set", "broker", address, "--pin", pin])
  expect([corrected.code, corrected.stderr]).toEqual([0, expect.stringContaining(wrong)])
  expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" }, broker: address }])
  daemon.kill("SIGTERM")
  await daemon.finished()
})

test.each([
  ["config set", (bob: User) => bob.runJson("config", "set", "broker", address, "--pin", pin)],
  [
    "pair",
    async (bob: User) => {
      const offer = alice.start(["pair", "--json", "--no-qr"])
      const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
      await bob.runJson("pair", String(carrier))
      await offer.finished()
    },
  ],
  [
    "register",
    async (bob: User) => {
      const [invited] = await alice.runJson("broker", "invite", "robert", "--no-qr")
      await bob.runJson("register", String(invited?.["invitation"]))
    },
  ],
])("a broker left for later comes by %s", async (_how, complete) => {
  const bob = newUser()
  await bob.runJson("init", "--name", "bob", "--no-passphrase", "--broker", "later")
  await complete(bob)
  expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" }, broker: address }])
})
