import { createPrivateKey, createPublicKey } from "node:crypto"
import { Pkcs10CertificateRequest } from "@peculiar/x509"
import { expect, test } from "vitest"
import { deviceKeyOf, makeDeviceKey } from "../../src/transport/device-key.ts"

test("a request is PKCS #10 for its own key, without a name, and proves possession of the key [R-7]", async () => {
  for (let n = 0; n < 50; n += 1) {
    const { key, csr } = makeDeviceKey()
    const request = new Pkcs10CertificateRequest(csr)
    expect(await request.verify()).toBe(true)
    expect([request.subject, request.attributes, request.extensions]).toEqual(["", [], []])
    const spki = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" })
    expect(Buffer.from(request.publicKey.rawData)).toEqual(spki)
  }
})

test("another request of the same key has another signature", () => {
  const { key, csr } = makeDeviceKey()
  const again = deviceKeyOf(key)
  expect(again.key).toBe(key)
  expect(signedPart(again.csr)).toEqual(signedPart(csr))
  expect(again.csr).not.toEqual(csr)
})

/** The signed part, 2 + 98 bytes, follows the outer header, whose length depends on the signature's. */
function signedPart(csr: Uint8Array): Uint8Array {
  return csr.subarray(3, 103)
}
