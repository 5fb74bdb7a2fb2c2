import { createReadStream } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { concat, utf8 } from "../../src/crypto/bytes.ts"
import { hash32 } from "../../src/crypto/kdf.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { sealFile } from "../../src/keystore/sealed-file.ts"
import { readStream, sealStream } from "../../src/keystore/sealed-stream.ts"
import { atFullCost } from "../cost.ts"
import { folder } from "./folder.ts"
import { all, pieces } from "./pieces.ts"

const PHRASE = "correct horse"
const HEAD_BYTES = 140
const BOX_BYTES = 65_536 + 16

async function sealed(length: number, pieceBytes = 10_000): Promise<Uint8Array> {
  return all(sealStream(pieces(contentsOf(length), pieceBytes), PHRASE, systemRandom))
}

function contentsOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7) % 251)
}

async function opened(bytes: Uint8Array, phrase = PHRASE, pieceBytes = 8_191): Promise<Uint8Array> {
  return all((await readStream(pieces(bytes, pieceBytes), "it")).unlock(phrase))
}

describe("a sealed stream", () => {
  it("comes back whole, however its bytes are split [B-1]", async () => {
    for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
      const bytes = await sealed(length)
      const chunks = Math.max(1, Math.ceil(length / 65_536))
      expect(bytes).toHaveLength(HEAD_BYTES + length + chunks * 16)
      expect(await opened(bytes, PHRASE, 1 + (length % 60_000))).toEqual(contentsOf(length))
    }
  })

  it("shows nothing of what it holds, and differs each time", async () => {
    atFullCost()
    const [one, other] = [await sealed(300), await sealed(300)]
    expect(Buffer.from(one).includes(Buffer.from(contentsOf(300).subarray(0, 16)))).toBe(false)
    expect(one.subarray(HEAD_BYTES)).not.toEqual(other.subarray(HEAD_BYTES))
  })

  it("refuses another passphrase, and none", async () => {
    const bytes = await sealed(10)
    await expect(opened(bytes, "correct house")).rejects.toMatchObject({ code: "refused" })
    await expect(opened(bytes, "")).rejects.toMatchObject({ code: "refused" })
  })

  it("is not made without a passphrase", async () => {
    const made = all(sealStream(pieces(contentsOf(1), 1), "", systemRandom))
    await expect(made).rejects.toMatchObject({ code: "usage" })
  })

  it("is refused with one changed byte anywhere [B-1]", async () => {
    const bytes = await sealed(70_000)
    for (const at of [0, 8, 9, 10, 30, 60, 139, HEAD_BYTES, HEAD_BYTES + BOX_BYTES - 1, bytes.length - 1]) {
      const changed = bytes.with(at, bytes[at]! ^ 1)
      await expect(opened(changed), `byte ${at}`).rejects.toMatchObject({ code: "bad-data" })
    }
  })

  it("is refused when truncated anywhere, between two chunks too [B-1]", async () => {
    const bytes = await sealed(140_000)
    for (const length of [0, 1, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + BOX_BYTES, bytes.length - 1]) {
      await expect(opened(bytes.subarray(0, length)), `${length}`).rejects.toMatchObject({ code: "bad-data" })
    }
  })

  it("is refused with chunks in another order, a repeated chunk, or bytes after the end [B-1]", async () => {
    const bytes = await sealed(140_000)
    const chunk = (n: number) => bytes.subarray(HEAD_BYTES + n * BOX_BYTES, HEAD_BYTES + (n + 1) * BOX_BYTES)
    const head = bytes.subarray(0, HEAD_BYTES)
    for (const other of [
      concat(head, chunk(1), chunk(0), chunk(2)),
      concat(head, chunk(0), chunk(0), chunk(1), chunk(2)),
      concat(head, chunk(0), chunk(2)),
      concat(bytes, Uint8Array.of(0)),
    ]) {
      await expect(opened(other)).rejects.toMatchObject({ code: "bad-data" })
    }
  })

  it("is never a key file, even one with a good checksum, nor a file without a lock", async () => {
    const path = join(folder(), "keys")
    await sealFile({ path, purpose: "identity" }, new Uint8Array(32), PHRASE, systemRandom)
    const name = "it"
    await expect(readStream(createReadStream(path), name)).rejects.toMatchObject({ code: "bad-data" })
    const bytes = await sealed(1)
    const unlocked = new Uint8Array(bytes.subarray(0, HEAD_BYTES - 32)).fill(0, 10, 36)
    const head = concat(unlocked, hash32(utf8("mqttchat/1 sealed file checksum"), unlocked))
    const forged = concat(head, bytes.subarray(HEAD_BYTES))
    await expect(readStream(pieces(forged, 1_000), name)).rejects.toMatchObject({ code: "bad-data" })
  })
})
