import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { readCarrier } from "../../src/cli/contacts/pair.ts"
import { fromHex } from "../../src/crypto/bytes.ts"
import { readStream } from "../../src/keystore/sealed-stream.ts"
import { armour, readArmour } from "../../src/pairing/armour.ts"
import { parsePairingLink } from "../../src/wire/pairing-link.ts"
import { pieces } from "../keystore/pieces.ts"
import earlier from "../vectors/earlier-version.json" with { type: "json" }
import { EngineFixture } from "./engine-fixture.ts"

/** As a person gives it to `pair`: a link as it is, a file by its path. */
async function given(kind: string, offer: string): Promise<unknown> {
  if (kind === "link") return readCarrier(offer)
  const path = join(mkdtempSync(join(tmpdir(), "mqttchat-offer-")), "alice.offer")
  writeFileSync(path, offer)
  return readCarrier(path)
}

const OFFERS = [
  ["link", earlier.link],
  ["link", earlier.linkForNewcomer],
  ["file", earlier.file],
] as const

test.each(OFFERS)(
  "a %s of an earlier version is refused in one sentence, and nobody is asked",
  async (kind, offer) => {
    const fixture = new EngineFixture()
    const alice = await fixture.profile("alice")
    const seen = fixture.broker.seen.length
    const refusal = {
      code: "bad-data",
      message: `this ${kind} was made by an earlier version of mqttchat, and this one cannot answer it`,
      hint: "ask for a new one, made by this version: mqttchat pair",
    }
    await expect(alice.client.call("pair-answer", { kind, offer })).rejects.toMatchObject(refusal)
    await expect(given(kind, offer)).rejects.toMatchObject(refusal)
    expect(await alice.client.call("contacts", {})).toEqual([])
    expect(fixture.broker.seen.length).toBe(seen)
  },
)

test.each([
  ["link", earlier.link.slice(0, -3), "ask for a new one, made by this version: mqttchat pair"],
  ["link", earlier.link.replace("/#", "/2#").slice(0, 60), "copy all of it, in quotes: mqttchat pair 'LINK'"],
  ["file", earlier.file.replace("\nAg", "\nAA"), "ask for it again"],
  ["file", earlier.file.replace("\nAg", "\n/w"), "ask for it again"],
])("a damaged %s is only taken for one of an earlier version where it says so", async (kind, offer, hint) => {
  await expect(given(kind, offer)).rejects.toMatchObject({ code: "bad-data", hint })
})

test("a bundle of an earlier version is refused by name, in a file of this one", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const offer = armour({
    bundle: fromHex(earlier.bundle),
    name: new Uint8Array(Buffer.from("bob")),
    address: { host: "broker.example", port: 8883 },
    access: { proof: { kind: "name" }, entry: { kind: "none" } },
  })
  await expect(alice.client.call("pair-answer", { kind: "file", offer })).rejects.toMatchObject({
    code: "bad-data",
    message: "this offer was made by an earlier version of mqttchat, and this one cannot answer it",
  })
  expect(await alice.client.call("contacts", {})).toEqual([])
})

test("neither is read as what it is not: no link, no file", () => {
  for (const offer of [earlier.link, earlier.linkForNewcomer]) expect(parsePairingLink(offer)).toBeUndefined()
  expect(readArmour(earlier.file)).toBeUndefined()
})

test("a backup of an earlier version is refused in one sentence, before anyone is asked for its passphrase", async () => {
  const whole = fromHex(earlier.backup)
  for (const bytes of [whole, whole.subarray(0, 140), whole.with(100, 0)]) {
    await expect(readStream(pieces(bytes, 500), "alice.mqttchat")).rejects.toMatchObject({
      code: "bad-data",
      message: "alice.mqttchat is a backup of an earlier version of mqttchat, and this one cannot read it",
      hint: "mqttchat init, then with each of your contacts: mqttchat pair",
    })
  }
  for (const version of [0, 3, 255]) {
    const refused = readStream(pieces(whole.with(8, version), 500), "it")
    await expect(refused).rejects.toMatchObject({ message: "it is not a backup, or is damaged" })
  }
})
