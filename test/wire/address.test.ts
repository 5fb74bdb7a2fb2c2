import { describe, expect, it } from "vitest"
import {
  formatAddress,
  formatAddresses,
  isSameAddress,
  parseAddress,
  parseAddresses,
} from "../../src/wire/address.ts"

describe("a broker's address", () => {
  it.each([
    ["pi.local", { host: "pi.local", port: 8883 }, "pi.local"],
    ["PI.local:1884", { host: "pi.local", port: 1884 }, "pi.local:1884"],
    ["192.168.1.20:8883", { host: "192.168.1.20", port: 8883 }, "192.168.1.20"],
    ["[::1]", { host: "::1", port: 8883 }, "[::1]"],
    ["[2001:DB8::7]:65535", { host: "2001:db8::7", port: 65535 }, "[2001:db8::7]:65535"],
  ])("%s is parsed and formatted in one way [W-40]", (typed, address, written) => {
    expect(parseAddress(typed)).toEqual(address)
    expect(formatAddress(address)).toBe(written)
    expect(parseAddress(written)).toEqual(address)
  })

  it.each([
    "",
    ":8883",
    "pi:",
    "pi:0",
    "pi:65536",
    "pi:08883",
    "pi:8883:1",
    "::1",
    "[pi]",
    "[::1",
    "-pi",
    "pi-",
    "pi..local",
    "pi local",
    "user@pi",
    "pi/x",
    "pi#x",
    "ръка",
    "a".repeat(254),
  ])("%j is not an address [W-40]", (typed) => {
    expect(parseAddress(typed)).toBeUndefined()
  })

  it("may be 253 characters long [W-40]", () => {
    expect(parseAddress("a".repeat(253))).toEqual({ host: "a".repeat(253), port: 8883 })
  })

  it("differs with the port or the host", () => {
    const pi = { host: "pi", port: 8883 }
    expect(isSameAddress(pi, { ...pi })).toBe(true)
    expect(isSameAddress(pi, { ...pi, port: 1884 })).toBe(false)
    expect(isSameAddress(pi, { ...pi, host: "other" })).toBe(false)
  })
})

describe("the addresses of a broker of several nodes", () => {
  it("are read and written in their order [W-40]", () => {
    const nodes = [
      { host: "a.example", port: 8883 },
      { host: "::1", port: 1884 },
    ]
    expect(parseAddresses("A.example:8883,[::1]:1884")).toEqual(nodes)
    expect(parseAddresses("a.example")).toEqual([nodes[0]])
    expect(parseAddresses("a,b,c,d,e")).toHaveLength(5)
    expect(formatAddresses(parseAddresses("a.example,[::1]:1884") ?? fail())).toBe("a.example,[::1]:1884")
  })

  it.each(["", ",", "a,", ",a", "a,,b", "a, b", "a,b:0", "a,a", "a,a:8883", "a,b,a", "a,b,c,d,e,f"])(
    "%j are not addresses [W-40]",
    (typed) => {
      expect(parseAddresses(typed)).toBeUndefined()
    },
  )
})

function fail(): never {
  throw new Error("no addresses")
}
