import { readFileSync, writeFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatInvitationLink, parseInvitationLink } from "../../src/wire/invitation-link.ts"
import { decodeInvitation, encodeInvitation } from "../../src/wire/registration.ts"
import { deviceOf, invitationFor } from "./membership.ts"
import {
  initHost,
  type JsonProcess,
  pairedUsers,
  schemaIs,
  ScenarioFixture,
  startBroker,
  type User,
} from "./scenario-fixture.ts"

/** Of a network for documentation (RFC 5737): no machine has it. */
const LEFT = "203.0.113.9"

const fixture = new ScenarioFixture()
let alice: User
let bob: User
let broker: JsonProcess

beforeAll(async () => {
  ;({ alice, bob, broker } = await pairedUsers(fixture))
})
afterAll(fixture.end)

/** Alice's broker gets another address. On one machine that is another port. */
async function move(...flags: readonly string[]): Promise<string> {
  broker.kill("SIGTERM")
  await broker.finished()
  const where = flags.length === 0 ? ["--loopback"] : flags
  broker = alice.start(["broker", ...where, "--port", "0", "--json"])
  const { host, port } = await broker.waitForOutput(schemaIs("broker"))
  return `${String(host)}:${String(port)}`
}

async function startDaemon(user: User): Promise<JsonProcess> {
  const daemon = user.start(["daemon"])
  await daemon.prints(/daemon running/)
  return daemon
}

async function endDaemon(daemon: JsonProcess): Promise<void> {
  daemon.kill("SIGTERM")
  await daemon.finished()
}

async function brokerOf(user: User): Promise<unknown> {
  return (await user.runJson("config", "get", "broker"))[0]?.["value"]
}

async function exchange(from: User, to: User, text: string): Promise<void> {
  await from.runJson("send", to.name, text)
  expect(await to.receiveTexts(text)).toContain(text)
}

describe("Alice's broker has another address", () => {
  test("Bob sets it, and only where the broker's key is proved [W-48]", async () => {
    const mallory = fixture.user("mallory")
    await initHost(mallory)
    const hers = await startBroker(mallory)
    const { port } = await hers.waitForOutput(schemaIs("broker"))
    const address = await move()
    const before = readFileSync(bob.file("settings.json"), "utf8")

    const other = await bob.run(["config", "set", "broker", `127.0.0.1:${String(port)}`])
    expect([other.code, other.stderr]).toEqual([64, expect.stringContaining("--pin")])
    expect(other.stderr).toContain("shows another key than your broker's")
    const nothing = await bob.run(["config", "set", "broker", "127.0.0.1:1"])
    expect([nothing.code, nothing.stderr]).toEqual([69, expect.stringContaining("nothing was changed")])
    const mixed = await bob.run(["config", "set", "broker", `${address},127.0.0.1:${String(port)}`])
    expect(mixed.code).toBe(64)
    const coded = await bob.run(["pair", `7-crowd-river@127.0.0.1:${String(port)}`])
    expect([coded.code, coded.stderr]).toEqual([78, expect.stringContaining("is another one")])
    expect(readFileSync(bob.file("settings.json"), "utf8")).toBe(before)

    await bob.runJson("config", "set", "broker", address)
    expect(await brokerOf(bob)).toBe(address)
    await exchange(bob, alice, "found again")
    await hers.stop()
  })

  test("a daemon takes it over, and what waited goes out", async () => {
    const daemon = await startDaemon(bob)
    const address = await move()
    expect((await bob.run(["send", "alice", "written while it was away"])).code).toBe(75)
    await bob.runJson("config", "set", "broker", address)
    expect(await alice.receiveTexts("written while it was away")).toContain("written while it was away")
    await endDaemon(daemon)
  })

  test("Alice's own daemon follows her broker", async () => {
    const daemon = await startDaemon(alice)
    const address = await move()
    await bob.runJson("config", "set", "broker", address)
    await exchange(bob, alice, "to her daemon")
    await endDaemon(daemon)
  })

  test("two addresses may be set, and one of them may be down", async () => {
    const address = await move()
    await bob.runJson("config", "set", "broker", `127.0.0.1:1,${address}`)
    const [status] = await bob.runJson("status")
    expect(status).toMatchObject({ connection: { kind: "online" }, broker: `127.0.0.1:1,${address}` })
    await bob.runJson("config", "set", "broker", address)
  })

  test("a code that names it is enough", async () => {
    const address = await move()
    const offer = alice.start(["pair", "--json", "--no-qr"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    expect(carrier).toContain(address)
    await bob.runJson("pair", String(carrier))
    await offer.finished()
    expect(await brokerOf(bob)).toBe(address)
    await exchange(alice, bob, "by code")
  })

  test("a link that names it is enough, for a daemon as well", async () => {
    const daemon = await startDaemon(bob)
    const address = await move()
    const offer = alice.start(["pair", "--link", "--json", "--no-qr"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    await bob.runJson("pair", String(carrier))
    await offer.finished()
    expect(await brokerOf(bob)).toBe(address)
    await endDaemon(daemon)
    await exchange(alice, bob, "by link")
  })

  test("an invitation that names it is enough, and is left for whom it is meant", async () => {
    const device = await deviceOf(alice, "bob")
    const address = await move()
    const invitation = await invitationFor(alice, "carol")
    const [registered] = await bob.runJson("register", invitation)
    expect(registered).toMatchObject({ broker: address, invitationUsed: false })
    expect(await brokerOf(bob)).toBe(address)
    expect(await deviceOf(alice, "bob")).toBe(device)
    const carol = fixture.user("carol")
    const hers = await carol.runJson("register", invitation, "--name", "carol", "--no-passphrase")
    expect(hers.at(-1)).toMatchObject({ broker: address, invitationUsed: true })
  })

  test("even an invitation that has expired names its broker's address", async () => {
    const link = parseInvitationLink(await invitationFor(alice, "dora"))
    const address = await move()
    const [host = "", port] = address.split(":")
    const invitation = decodeInvitation(link?.invitation ?? new Uint8Array())
    if (link === undefined || invitation === undefined) throw new Error("no invitation")
    const expired = encodeInvitation({ ...invitation, expiresAt: 1 })
    const moved = formatInvitationLink({
      ...link,
      address: { host, port: Number(port) },
      invitation: expired,
    })
    await bob.runJson("register", moved)
    expect(await brokerOf(bob)).toBe(address)
  })

  test("an invitation with another pin changes nothing", async () => {
    const link = parseInvitationLink(await invitationFor(alice, "dave"))
    if (link === undefined) throw new Error("no invitation")
    const address = await move()
    const changed = formatInvitationLink({ ...link, proof: { kind: "pin", pin: new Uint8Array(16).fill(1) } })
    const before = await brokerOf(bob)
    expect((await bob.run(["register", changed])).code).not.toBe(0)
    expect(await brokerOf(bob)).toBe(before)
    await bob.runJson("config", "set", "broker", address)
  })

  test("a broker that is started again after its laptop got another address listens there", async () => {
    broker.kill("SIGTERM")
    await broker.finished()
    const file = alice.file("broker/address.json")
    const known = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>
    writeFileSync(file, JSON.stringify({ ...known, host: LEFT, listen: LEFT }))
    broker = alice.start(["broker", "--port", "0", "--json"])
    const isOnNetwork = Object.values(networkInterfaces()).some((found) => found?.some((it) => !it.internal))
    if (isOnNetwork) await broker.prints(new RegExp(`the address of this laptop was ${LEFT} and is now`))
    else expect((await broker.finished()).code).toBe(69)
  })

  test("people on the network are told the name of its machine as well", async () => {
    await move("--listen", "0.0.0.0")
    const link = parseInvitationLink(await invitationFor(alice, "erin"))
    const [address, named] = link?.members ?? []
    expect(address).toEqual(link?.address)
    expect(named?.host).toMatch(/^[a-z0-9-]+\.local$/)
    expect(named?.port).toBe(address?.port)
  })
})
