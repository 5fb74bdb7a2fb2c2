import { readFileSync, writeSync, openSync, closeSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { codeOf } from "../../src/errors.ts"
import { diskFault, isDiskFull } from "../../src/fs/disk-fault.ts"
import { readIfExists } from "../../src/fs/read-file.ts"
import { writeAllNow } from "../../src/fs/write-all.ts"
import { folder } from "../keystore/folder.ts"

function refusal(code: unknown): Error {
  return Object.assign(new Error("refused"), { code })
}

describe("what the file system refuses", () => {
  it.each(["ENOSPC", "EDQUOT", "EFBIG"])("is a full disk by the code %s", (code) => {
    const cause = refusal(code)
    expect(isDiskFull(cause)).toBe(true)
    const message = "cannot write the list: the disk is full"
    expect(diskFault(cause, "write the list")).toMatchObject({ code: "disk-full", message, cause })
  })

  it("is a fault of the disk by any other code, which the message names", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^E[A-Z]{3,9}$/), (code) => {
        fc.pre(!["ENOSPC", "EDQUOT", "EFBIG", "EISDIR", "EACCES"].includes(code))
        const message = `cannot read it: ${code}`
        expect(diskFault(refusal(code), "read it")).toMatchObject({ code: "io", message })
      }),
    )
  })

  it("says what helps with a folder in place of a file, and with a file that this user may not read", () => {
    expect(diskFault(refusal("EISDIR"), "read it", "/p/file")).toMatchObject({
      code: "io",
      message: "cannot read it: EISDIR (it is a folder)",
      hint: "mv /p/file /p/file.old",
    })
    expect(diskFault(refusal("EACCES"), "read it", "/p/file")).toMatchObject({
      message: "cannot read it: EACCES (permission denied)",
      hint: "chmod u+rw /p/file",
    })
    const other = Object.assign(refusal("EISDIR"), { syscall: "open", path: "/p/file-wal" })
    expect(diskFault(other, "read it", "/p/file").hint).toBe("mv /p/file-wal /p/file-wal.old")
    const renamed = Object.assign(refusal("EISDIR"), { syscall: "rename", path: "/p/file.new" })
    expect(diskFault(renamed, "read it", "/p/file").hint).toBe("mv /p/file /p/file.old")
    expect(diskFault(refusal("EISDIR"), "read it").hint).toBeUndefined()
  })

  it.each([new Error("no code"), refusal(undefined), refusal({}), "ENOSPC", { code: "ENOSPC" }, undefined])(
    "has no code in %o",
    (cause) => {
      expect(codeOf(cause)).toBeUndefined()
      expect(isDiskFull(cause)).toBe(false)
      expect(diskFault(cause, "read it").message).toBe("cannot read it: unknown error")
    },
  )
})

describe("a small file", () => {
  it("is undefined where there is none, and a fault where it cannot be read", () => {
    const path = folder()
    expect(readIfExists(join(path, "none"))).toBeUndefined()
    expect(() => readIfExists(path)).toThrow(`cannot read ${path}: EISDIR (it is a folder)`)
  })
})

describe("bytes written at a position", () => {
  it("replace those that are there and no others", () => {
    const path = join(folder(), "file")
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(64), (bytes, position) => {
        const file = openSync(path, "w+")
        writeSync(file, new Uint8Array(160).fill(7))
        writeAllNow(file, bytes, position)
        closeSync(file)
        const expected = new Uint8Array(160).fill(7)
        expected.set(bytes, position)
        expect(new Uint8Array(readFileSync(path))).toEqual(expected)
      }),
    )
  })
})
