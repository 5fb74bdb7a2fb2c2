import { createPrivateKey, X509Certificate } from "node:crypto"
import { beforeAll, describe, expect, test } from "vitest"
import { type Authority, makeAuthority, makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"

/** id-kp-serverAuth (RFC 5280, section 4.2.1.12). */
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
const DAY = 24 * 60 * 60 * 1000

describe("the broker's certificates", () => {
  let authority: Authority
  const hosts = ["laptop.local", "192.168.1.20", "fe80::1"]

  beforeAll(async () => {
    authority = await makeAuthority()
  })

  test("the authority signs end certificates only, for twenty years", () => {
    const ca = new X509Certificate(authority.caCertificate)
    expect(ca.ca).toBe(true)
    expect(ca.checkIssued(ca)).toBe(true)
    expect(ca.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" })
    expect((Date.parse(ca.validTo) - Date.parse(ca.validFrom)) / DAY).toBe(20 * 365)
  })

  test("a server certificate is valid for each of its hosts, for 397 days, and for servers only", async () => {
    const { certificate, key } = await makeServerCertificate(authority, hosts)
    const shown = new X509Certificate(certificate)
    expect(shown.checkIssued(new X509Certificate(authority.caCertificate))).toBe(true)
    expect(shown.checkPrivateKey(createPrivateKey(key))).toBe(true)
    expect(shown.ca).toBe(false)
    expect(shown.keyUsage).toEqual([SERVER_AUTH])
    expect(shown.checkHost("laptop.local")).toBe("laptop.local")
    expect(shown.checkIP("192.168.1.20")).toBe("192.168.1.20")
    expect(shown.checkIP("fe80::1")).toBe("fe80::1")
    expect([shown.checkHost("laptop"), shown.checkIP("10.0.0.1")]).toEqual([undefined, undefined])
    expect((Date.parse(shown.validTo) - Date.parse(shown.validFrom)) / DAY).toBe(397)
  })

  test("the pin is the authority's key: another server certificate keeps it, another authority changes it", async () => {
    const pin = pinOf(authority.caCertificate)
    expect(pin.length).toBe(16)
    expect(pinOf(authority.caCertificate)).toEqual(pin)
    expect(pinOf((await makeAuthority()).caCertificate)).not.toEqual(pin)
    const { certificate } = await makeServerCertificate(authority, hosts)
    expect(pinOf(certificate)).not.toEqual(pin)
  })

  test("a text that is not a host name gets into no certificate", async () => {
    for (const host of ["", "a b", "x,CN=y", "-a", "a..b", "fe80::1%eth0", "a\nb", `${"a".repeat(64)}.de`]) {
      await expect(makeServerCertificate(authority, [host])).rejects.toMatchObject({ code: "usage" })
    }
  })
})
