import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { afterEach, beforeEach, expect, test } from "vitest"
import { makeAuthority, makeServerCertificate } from "../../src/broker/certificates.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createHostKeys, openHostKeys } from "../../src/registrar/keys.ts"
import { faultOf } from "../transport/post.ts"

let path = ""
let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mqttchat-keys-"))
  path = join(folder, "broker.key")
})
afterEach(() => rmSync(folder, { recursive: true }))

async function made() {
  const authority = await makeAuthority()
  return { authority, server: await makeServerCertificate(authority, ["localhost"]) }
}

test("a broker's keys are sealed, and come back as they were, also after a renewal", async () => {
  const { keys } = await createHostKeys(path, await made(), "open sesame", systemRandom)
  const opened = await openHostKeys(path, "open sesame", systemRandom)
  expect(opened.keys).toEqual(keys)
  expect(readFileSync(path).includes("PRIVATE KEY")).toBe(false)

  const server = await makeServerCertificate(keys.authority, ["localhost", "127.0.0.1"])
  await opened.save({ ...keys, server })
  const renewed = await openHostKeys(path, "open sesame", systemRandom)
  expect(renewed.keys).toEqual({ ...keys, server })
})

test("a wrong passphrase is refused, a broker that is there is never made anew, and one that is not is told", async () => {
  expect(await faultOf(openHostKeys(path, "", systemRandom))).toMatchObject({ code: "no-profile" })
  const keys = await made()
  await createHostKeys(path, keys, "open sesame", systemRandom)
  expect(await faultOf(openHostKeys(path, "sesame open", systemRandom))).toMatchObject({ code: "refused" })
  expect(await faultOf(createHostKeys(path, keys, "", systemRandom))).toMatchObject({ code: "exists" })
})

test("keys print as a name, never as themselves", async () => {
  const { keys } = await createHostKeys(path, await made(), "", systemRandom)
  expect(inspect({ keys })).toContain("‹HostKeys›")
  expect(inspect({ keys }, { depth: null })).not.toContain("PRIVATE KEY")
  expect(JSON.stringify({ keys })).not.toContain("PRIVATE KEY")
})
