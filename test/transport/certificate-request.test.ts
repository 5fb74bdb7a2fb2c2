import { createPrivateKey, createPublicKey } from "node:crypto"
import { Pkcs10CertificateRequest } from "@peculiar/x509"
import { expect, test } from "vitest"
import { deviceKeyOf, makeDeviceKey } from "../../src/transport/device-key.ts"

test("a request is PKCS #10 for its own key, names nobody, and proves that the key is there [R-7]", async () => {
  for (let n = 0; n < 50; n += 1) {
    const { key, csr } = makeDeviceKey()
    const request = new Pkcs10CertificateRequest(csr)
    expect(await request.verify()).toBe(true)
    expect([request.subject, request.attributes, request.extensions]).toEqual(["", [], []])
    const spki = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" })
    expect(Buffer.from(request.publicKey.rawData)).toEqual(spki)
  }
})

test("the same key asks again under another signature", () => {
  const { key, csr } = makeDeviceKey()
  const again = deviceKeyOf(key)
  expect(again.key).toBe(key)
  expect(signedPart(again.csr)).toEqual(signedPart(csr))
  expect(again.csr).not.toEqual(csr)
})

/** Behind the outer header, whose length depends on the signature's, stands what is signed: 2 + 98 bytes. */
function signedPart(csr: Uint8Array): Uint8Array {
  return csr.subarray(3, 103)
}
