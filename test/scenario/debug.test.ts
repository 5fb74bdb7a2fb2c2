import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { systemRandom } from "../../src/crypto/random.ts"
import { toBase64url, toHex } from "../../src/crypto/bytes.ts"
import { DEBUG_TOPICS } from "../../src/debug/events.ts"
import { openKeyFile } from "../../src/keystore/keyfile.ts"
import { Peer } from "../daemon/rpc-peer.ts"
import { invitationFor } from "./membership.ts"
import { initHost, ScenarioFixture, schemaIs, startBroker, type User } from "./scenario-fixture.ts"

/** Real processes share two cores with other tests: a ceiling, no verdict on speed. */
const CEILING = { timeout: 180_000 }
const PASSPHRASE = "correct horse battery"
const TEXTS = ["meet me at nine behind the mill", "bring the blue folder"] as const

async function keysOf(user: User, passphrase: string): Promise<readonly Uint8Array[]> {
  const { ring } = await openKeyFile(user.file("identity.key"), passphrase, systemRandom)
  const { credential, databaseKey, identity } = ring
  const deviceKey = credential?.kind === "device" ? [Buffer.from(credential.key)] : []
  return [databaseKey, identity.signSecret, identity.boxSecret, ...deviceKey]
}

describe("every topic is on", CEILING, () => {
  it("and no key, passphrase, code, invitation, token or text is in a line", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
    const passphraseFile = join(bob.home, "passphrase")
    writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 })
    const open = ["--passphrase-file", passphraseFile]
    await initHost(alice)
    await startBroker(alice)
    const invitation = await invitationFor(alice, "bob")
    await bob.runJson("register", invitation, "--name", "bob", ...open)
    const offer = alice.start(["pair", "--json", "--no-qr"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    await bob.runJson("pair", String(carrier), ...open)
    await offer.finished()
    const daemon = bob.start(["daemon", "--tcp", "0", "--json", ...open])
    const { tcp, token } = await daemon.waitForOutput(schemaIs("daemon"))
    const apiToken = readFileSync(String(token), "utf8").trim()
    const script = new Peer(tcp as { host: string; port: number })
    await script.ask("auth", { token: apiToken })
    await script.ask("send", { contact: "alice", text: TEXTS[0], wait: "broker" })
    await bob.runJson("send", "alice", TEXTS[1])
    await alice.receiveTexts(...TEXTS)

    const lines = fixture.debug.lines()
    expect(new Set(lines.map(({ topic }) => topic))).toEqual(new Set(DEBUG_TOPICS))
    const text = JSON.stringify(lines)
    const code = String(carrier).split("@")[0] ?? ""
    const names = ["alice", "bob", alice.home, "127.0.0.1"]
    const words = [...TEXTS, PASSPHRASE, invitation, code, apiToken, ...names]
    for (const secret of words) expect(text).not.toContain(secret)
    for (const key of [...(await keysOf(alice, "")), ...(await keysOf(bob, PASSPHRASE))]) {
      for (const form of [toHex(key), toBase64url(key), Buffer.from(key).toString("base64")])
        expect(text).not.toContain(form)
      expect(text).not.toContain(toHex(key.subarray(0, 4)))
    }
  })
})

describe("who asks for lines", CEILING, () => {
  it("gets them on stderr, or in a file of their own, and is told which topics there are", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = fixture.user("alice")
    await initHost(alice)
    const off = { MQTTCHAT_DEBUG: "", MQTTCHAT_DEBUG_FILE: "" }
    expect((await alice.run(["status"], { env: off })).stderr).not.toContain("mqttchat/debug/1")
    const verbose = await alice.run(["--verbose", "status"], { env: off })
    expect(verbose.stderr).toContain('"topic":"store","event":"load"')
    const onlyDaemon = await alice.run(["status"], { env: { ...off, MQTTCHAT_DEBUG: "daemon" } })
    expect(onlyDaemon.stderr.match(/"topic":"[a-z]+"/g)).toEqual(['"topic":"daemon"', '"topic":"daemon"'])

    const file = join(alice.home, "lines")
    await alice.run(["status"], { env: { MQTTCHAT_DEBUG: "store", MQTTCHAT_DEBUG_FILE: file } })
    expect(readFileSync(file, "utf8")).toContain('"topic":"store"')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    symlinkSync(file, join(alice.home, "link"))
    const linked = { MQTTCHAT_DEBUG: "store", MQTTCHAT_DEBUG_FILE: join(alice.home, "link") }
    expect(await alice.run(["status"], { env: linked })).toMatchObject({ code: 78 })

    for (const command of [["status"], ["inbox"]]) {
      const { code, stderr } = await alice.run(command, { env: { MQTTCHAT_DEBUG: "conection" } })
      expect(code).toBe(64)
      expect(stderr).toContain(DEBUG_TOPICS.join(", "))
    }
  })
})
