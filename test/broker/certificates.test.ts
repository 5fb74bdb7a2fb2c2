import { X509Certificate } from "node:crypto"
import { beforeAll, describe, expect, test } from "vitest"
import {
  type Authority,
  makeAuthority,
  makeServerCertificate,
  pinOf,
  stillServes,
} from "../../src/broker/certificates.ts"

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
    expect((Date.parse(ca.validTo) - Date.now()) / DAY).toBeGreaterThan(7_200)
  })

  test("a server certificate is good for each of its hosts, until it nears its end or a host is missing", async () => {
    const { certificate, key } = await makeServerCertificate(authority, hosts)
    const shown = new X509Certificate(certificate)
    expect(shown.checkIssued(new X509Certificate(authority.caCertificate))).toBe(true)
    expect(shown.ca).toBe(false)
    expect(shown.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"])
    expect(key).toContain("PRIVATE KEY")
    const now = Date.now()
    expect(stillServes(certificate, authority, hosts, now)).toBe(true)
    expect(stillServes(certificate, authority, ["192.168.1.20"], now)).toBe(true)
    expect(stillServes(certificate, authority, [...hosts, "10.0.0.1"], now)).toBe(false)
    expect(stillServes(certificate, authority, ["laptop"], now)).toBe(false)
    expect(stillServes(certificate, authority, hosts, now + 365 * DAY)).toBe(true)
    expect(stillServes(certificate, authority, hosts, now + 367 * DAY)).toBe(false)
    expect(stillServes(certificate, await makeAuthority(), hosts, now)).toBe(false)
  })

  test("the pin is the authority's key: another server certificate leaves it, another authority does not", async () => {
    const pin = pinOf(authority.caCertificate)
    expect(pin.length).toBe(16)
    expect(pinOf(authority.caCertificate)).toEqual(pin)
    expect(pinOf((await makeAuthority()).caCertificate)).not.toEqual(pin)
    const { certificate } = await makeServerCertificate(authority, hosts)
    expect(pinOf(certificate)).not.toEqual(pin)
  })

  test("what is no host name gets into no certificate", async () => {
    for (const host of ["", "a b", "x,CN=y", "-a", "a..b", "fe80::1%eth0", "a\nb", `${"a".repeat(64)}.de`]) {
      await expect(makeServerCertificate(authority, [host])).rejects.toMatchObject({ code: "usage" })
    }
  })
})
