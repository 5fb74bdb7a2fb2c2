import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { concat, utf8 } from "../../src/crypto/bytes.ts"
import { hash32 } from "../../src/crypto/kdf.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import {
  changePassphrase,
  needsPassphrase,
  openFile,
  sealFile,
  type SealedTarget,
} from "../../src/keystore/sealed-file.ts"
import { CONTENTS_MAX } from "../../src/keystore/sealed-format.ts"
import { atFullCost } from "../cost.ts"
import { folder } from "./folder.ts"

const SECRET = utf8("the registrar's private key")
const PHRASE = "correct horse"
const HEADER_BYTES = 60

function target(): SealedTarget {
  return { path: join(folder(), "new", "keys"), purpose: "registrar" }
}

async function contentsOf(at: SealedTarget, passphrase: string): Promise<string> {
  const { contents } = await openFile(at, passphrase, systemRandom)
  return Buffer.from(contents).toString()
}

/** What Mallory would write: any bytes, with a valid checksum. */
function withChecksum(file: Uint8Array): Uint8Array {
  const body = file.subarray(0, file.length - 32)
  return concat(body, hash32(utf8("mqttchat/1 sealed file checksum"), body))
}

function flipped(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.with(index, (bytes[index] ?? 0) ^ 1)
}

describe("a sealed file", () => {
  it("opens with its passphrase, and shows nothing of what it holds", async () => {
    atFullCost()
    const at = target()
    await sealFile(at, SECRET, PHRASE, systemRandom)
    expect(await contentsOf(at, PHRASE)).toBe("the registrar's private key")
    expect(readFileSync(at.path).includes(Buffer.from(SECRET))).toBe(false)
    expect(readFileSync(at.path).includes(PHRASE)).toBe(false)
  })

  it("may be read by its owner only, in a folder of its owner only, with no other file left there", async () => {
    const at = target()
    await sealFile(at, SECRET, "", systemRandom)
    expect(statSync(at.path).mode & 0o777).toBe(0o600)
    expect(statSync(join(at.path, "..")).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(at.path, ".."))).toEqual(["keys"])
  })

  it("refuses another passphrase, and none", async () => {
    const at = target()
    await sealFile(at, SECRET, PHRASE, systemRandom)
    await expect(openFile(at, "correct house", systemRandom)).rejects.toMatchObject({ code: "refused" })
    await expect(openFile(at, "", systemRandom)).rejects.toMatchObject({ code: "refused" })
  })

  it("accepts the same phrase however a keyboard composes its accents", async () => {
    const at = target()
    await sealFile(at, SECRET, "caf\u00e9", systemRandom)
    expect(await contentsOf(at, "cafe\u0301")).toBe("the registrar's private key")
  })

  it("reports whether it needs a passphrase, before the user is asked", async () => {
    const [locked, open] = [target(), target()]
    await sealFile(locked, SECRET, PHRASE, systemRandom)
    await sealFile(open, SECRET, "", systemRandom)
    expect(await needsPassphrase(locked)).toBe(true)
    expect(await needsPassphrase(open)).toBe(false)
    expect(await contentsOf(open, "")).toBe("the registrar's private key")
  })

  it("accepts passphrases up to 1024 bytes", async () => {
    await expect(sealFile(target(), SECRET, "x".repeat(1025), systemRandom)).rejects.toMatchObject({
      code: "usage",
    })
    const at = target()
    await sealFile(at, SECRET, "x".repeat(1024), systemRandom)
    expect(await contentsOf(at, "x".repeat(1024))).toBe("the registrar's private key")
  })

  it("accepts contents up to its bound, and is read no further", async () => {
    const at = target()
    const file = await sealFile(at, new Uint8Array(CONTENTS_MAX), "", systemRandom)
    expect(await contentsOf(at, "")).toHaveLength(CONTENTS_MAX)
    await expect(file.save(new Uint8Array(CONTENTS_MAX + 1))).rejects.toMatchObject({ code: "bug" })
    truncateSync(at.path, 1_000_000_000)
    await expect(openFile(at, "", systemRandom)).rejects.toMatchObject({ code: "damaged-key-file" })
  })
})

describe("a damaged file", () => {
  it("is distinguished from a wrong passphrase at every single byte [K-4]", async () => {
    const at = target()
    await sealFile(at, SECRET, PHRASE, systemRandom)
    const whole = readFileSync(at.path)
    for (let index = 0; index < whole.length; index++) {
      writeFileSync(at.path, flipped(whole, index))
      await expect(openFile(at, PHRASE, systemRandom), `byte ${index}`).rejects.toMatchObject({
        code: "damaged-key-file",
      })
    }
    writeFileSync(at.path, whole)
    expect(await contentsOf(at, PHRASE)).toBe("the registrar's private key")
  })

  it("is refused at every single byte even when Mallory corrects the checksum [K-3]", async () => {
    const at = target()
    await sealFile(at, SECRET, "", systemRandom)
    const whole = new Uint8Array(readFileSync(at.path))
    for (let index = 0; index < whole.length - 32; index++) {
      writeFileSync(at.path, withChecksum(flipped(whole, index)))
      const attempt = openFile(at, "", systemRandom)
      const code = index < HEADER_BYTES - 24 ? "damaged-key-file" : "refused"
      await expect(attempt, `byte ${index}`).rejects.toMatchObject({ code })
    }
  })

  it("is refused when truncated or extended", async () => {
    const at = target()
    await sealFile(at, SECRET, "", systemRandom)
    const whole = new Uint8Array(readFileSync(at.path))
    for (const bytes of [whole.subarray(1), whole.subarray(0, 107), new Uint8Array(), concat(whole, whole)]) {
      writeFileSync(at.path, bytes)
      await expect(needsPassphrase(at)).rejects.toMatchObject({ code: "damaged-key-file" })
    }
  })

  it("cannot demand gigabytes for a key [K-2]", async () => {
    const at = target()
    await sealFile(at, SECRET, PHRASE, systemRandom)
    const greedy = new Uint8Array(readFileSync(at.path))
    new DataView(greedy.buffer).setUint32(12, 0xffffffff, true)
    writeFileSync(at.path, withChecksum(greedy))
    await expect(openFile(at, PHRASE, systemRandom)).rejects.toMatchObject({ code: "damaged-key-file" })
  })
})

describe("another file in its place", () => {
  it("of another purpose is refused [K-1]", async () => {
    const at = target()
    await sealFile(at, SECRET, "", systemRandom)
    const asIdentity: SealedTarget = { ...at, purpose: "identity" }
    await expect(openFile(asIdentity, "", systemRandom)).rejects.toMatchObject({ code: "damaged-key-file" })
  })

  it.each([
    ["identity", "mqttchat init"],
    ["registrar", "mqttchat broker"],
  ] as const)("missing altogether: the hint is how to make the %s file", async (purpose, hint) => {
    const attempt = openFile({ path: join(folder(), "none"), purpose }, "", systemRandom)
    await expect(attempt).rejects.toMatchObject({ code: "no-profile", hint })
  })

  it("that is a folder is refused", async () => {
    const path = join(folder(), "keys")
    mkdirSync(path)
    await expect(openFile({ path, purpose: "identity" }, "", systemRandom)).rejects.toMatchObject({
      code: "io",
    })
  })
})

describe("writing", () => {
  it("never overwrites a file it did not open, with several writers at once", async () => {
    const at = target()
    const texts = ["first", "second", "third"]
    const made = await Promise.allSettled(texts.map((text) => sealFile(at, utf8(text), "", systemRandom)))
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
    const winner = texts[made.findIndex(({ status }) => status === "fulfilled")]
    expect(await contentsOf(at, "")).toBe(winner)
    await expect(sealFile(at, SECRET, "", systemRandom)).rejects.toMatchObject({ code: "exists" })
    expect(await contentsOf(at, "")).toBe(winner)
    expect(readdirSync(join(at.path, ".."))).toEqual(["keys"])
  })

  it("saves under the same passphrase, never under the same nonce", async () => {
    const at = target()
    const file = await sealFile(at, SECRET, PHRASE, systemRandom)
    const before = readFileSync(at.path).subarray(36, HEADER_BYTES)
    await file.save(utf8("renewed"))
    expect(readFileSync(at.path).subarray(36, HEADER_BYTES)).not.toEqual(before)
    const again = await openFile(at, PHRASE, systemRandom)
    await again.save(utf8("renewed twice"))
    expect(await contentsOf(at, PHRASE)).toBe("renewed twice")
  })

  it("changes the passphrase and the salt, and the old one opens nothing", async () => {
    const at = target()
    await sealFile(at, SECRET, PHRASE, systemRandom)
    const salt = readFileSync(at.path).subarray(20, 36)
    await changePassphrase(at, { from: PHRASE, to: "new phrase" }, systemRandom)
    expect(readFileSync(at.path).subarray(20, 36)).not.toEqual(salt)
    expect(await contentsOf(at, "new phrase")).toBe("the registrar's private key")
    await expect(openFile(at, PHRASE, systemRandom)).rejects.toMatchObject({ code: "refused" })
  })

  it("changes nothing without the right passphrase", async () => {
    const at = target()
    await sealFile(at, SECRET, PHRASE, systemRandom)
    const before = readFileSync(at.path)
    const change = changePassphrase(at, { from: "guess", to: "" }, systemRandom)
    await expect(change).rejects.toMatchObject({ code: "refused" })
    expect(readFileSync(at.path)).toEqual(before)
  })

  it("removes a passphrase, and sets one", async () => {
    const at = target()
    await sealFile(at, SECRET, PHRASE, systemRandom)
    await changePassphrase(at, { from: PHRASE, to: "" }, systemRandom)
    expect(await needsPassphrase(at)).toBe(false)
    await changePassphrase(at, { from: "", to: PHRASE }, systemRandom)
    expect(await needsPassphrase(at)).toBe(true)
  })
})
