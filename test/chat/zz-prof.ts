import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { randomBytes } from "node:crypto"
import { openEngine } from "../../src/chat/engine.ts"
import { openStore } from "../../src/store/store.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { toBase64url } from "../../src/crypto/bytes.ts"
import { useBackend, BACKENDS } from "../../src/crypto/nacl.ts"
import { PostOffice } from "./post-office.ts"
await useBackend(undefined, BACKENDS)
const office = new PostOffice()
async function person(name: string) {
  const store = await openStore(join(mkdtempSync(join(tmpdir(), "prof-")), "m.db"), randomBytes(32))
  const cred = { kind: "account", deviceId: toBase64url(randomBytes(16)) } as const
  const no = () => Promise.reject(new Error("no"))
  const client = await openEngine({
    store,
    identity: createIdentity(systemRandom),
    name,
    connect: office.connect,
    enroll: no,
    renew: no,
    invite: no,
    home: {
      broker: () => ({ address: { host: "b", port: 1 }, trust: { kind: "name" } }),
      credential: () => cred,
      saveBroker: async () => {},
      saveCredential: async () => {},
      saveLearnt: async () => {},
    },
    now: Date.now,
    random: systemRandom,
    after: (ms, run) => {
      const t = setTimeout(run, ms)
      return () => clearTimeout(t)
    },
    reach: () => undefined,
  } as never)
  return { client, store }
}
const a = await person("alice"),
  b = await person("bob")
const offer = (await a.client.call("pair-offer", { by: "file", words: 2 })) as { file: string }
await b.client.call("pair-answer", { by: "file", carrier: offer.file })
await new Promise((r) => setTimeout(r, 300))
let got = 0
b.client.listen((e) => {
  if (e.event === "message") got++
})
for (let round = 0; round < 6; round++) {
  const N = 2000
  const start = got
  const t = performance.now()
  const W = 64
  let next = 0
  await Promise.all(
    Array.from({ length: W }, async () => {
      while (next < N) {
        const i = next++
        await a.client.call("send", {
          to: "bob",
          text: `message number ${i} of some length, about 100 bytes or so, as people write them in a chat`,
          wait: "disk",
          timeoutMs: 0,
        })
      }
    }),
  )
  const t1 = performance.now()
  while (got - start < N) await new Promise((r) => setTimeout(r, 2))
  const t2 = performance.now()
  console.log(
    `${N}: on disk ${((N / (t1 - t)) * 1000).toFixed(0)}/s, at bob ${((N / (t2 - t)) * 1000).toFixed(0)}/s`,
  )
}
process.exit()
