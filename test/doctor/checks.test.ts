import { describe, expect, test } from "vitest"
import { AUDITS, judgeAudit } from "../../src/doctor/checks/audit.ts"
import {
  faultOf,
  judgeCertificate,
  judgeClock,
  judgeDevice,
  judgeName,
  judgeNodes,
  judgePin,
  judgeTcp,
  judgeTls,
} from "../../src/doctor/checks/connection.ts"
import { judgeFiles, type FileAccess } from "../../src/doctor/checks/files.ts"
import {
  bad,
  type Finding,
  good,
  type Judgement,
  unknown,
  weak,
  worst,
} from "../../src/doctor/checks/finding.ts"
import { judgeLedger, type LedgerReport } from "../../src/doctor/checks/ledger.ts"
import {
  judgeLargest,
  judgeLogin,
  judgeMqtt,
  judgeOffline,
  judgeRoundTrip,
  type LoginResult,
} from "../../src/doctor/checks/login.ts"
import {
  judgeDatabase,
  judgeLock,
  judgeOutbox,
  judgeOwner,
  type DatabaseState,
} from "../../src/doctor/checks/profile.ts"
import type { Outcome } from "../../src/doctor/probe/attack-runner.ts"
import { Fault } from "../../src/errors.ts"

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const NOW = Date.UTC(2026, 5, 15)
const YEAR = { validFrom: NOW - 30 * DAY, validTo: NOW + 335 * DAY }
const GONE = new Fault("unavailable", "the broker at h:1 is not running: connection refused")

function results(judgements: readonly Judgement[]): string[] {
  return judgements.map(({ result }) => result)
}

test("the worst finding is the most severe, and of several the first", () => {
  const row = (name: string, judgement: Judgement): Finding => ({ name, what: "", why: "", ...judgement })
  const findings = [
    row("a", good("")),
    row("b", unknown("")),
    row("c", weak("", "")),
    row("d", bad("config", "", "")),
    row("e", bad("refused", "", "")),
  ]
  expect(worst(findings)?.name).toBe("d")
  expect(worst(findings.slice(0, 3))?.name).toBe("c")
  expect(worst(findings.slice(0, 2))?.name).toBe("b")
  expect(worst([])).toBeUndefined()
})

describe("the clock", () => {
  const compared = { server: YEAR, device: undefined, newest: NOW }

  test("is good if it agrees with what it can be compared with", () => {
    expect(judgeClock(NOW, compared)).toMatchObject({ result: "good" })
    expect(judgeClock(NOW - MINUTE, compared)).toMatchObject({ result: "good" })
    expect(judgeClock(NOW, { ...compared, server: undefined })).toMatchObject({ result: "unknown" })
  })

  test("is behind if files or certificates come from its future", () => {
    const behind = [
      judgeClock(NOW - DAY, compared),
      judgeClock(NOW, { ...compared, server: { ...YEAR, validFrom: NOW + DAY } }),
      judgeClock(NOW, { ...compared, device: { ...YEAR, validFrom: NOW + DAY } }),
      judgeClock(NOW, { ...compared, server: undefined, newest: NOW + DAY }),
    ]
    expect(results(behind)).toEqual(["bad", "bad", "bad", "bad"])
    expect(behind[0]).toMatchObject({ code: "config", fix: "timedatectl set-ntp true" })
  })

  test("may be ahead if the broker's certificate has expired", () => {
    expect(judgeClock(YEAR.validTo + DAY, compared)).toMatchObject({ result: "weak" })
  })
})

describe("the connection to the broker", () => {
  const tls = { version: "TLSv1.3", protocol: "mqtt", ...YEAR }
  const whole = {
    addresses: ["10.0.0.5"],
    tcp: "open",
    tls,
    acceptsTls12: false,
    trusted: "trusted",
  } as const

  test("is good as a whole", () => {
    const way = [judgeName(whole), judgeTcp(whole, false), judgeTls(whole), judgePin(whole, "pin")]
    expect(results(way)).toEqual(["good", "good", "good", "good"])
  })

  test("ends where a step fails, and later steps are not judged", () => {
    const unnamed = { addresses: GONE }
    const way = [judgeName(unnamed), judgeTcp(unnamed, false), judgeTls(unnamed), judgePin(unnamed, "pin")]
    expect(results(way)).toEqual(["bad", "unknown", "unknown", "unknown"])
    expect(judgeTcp({ addresses: [], tcp: GONE }, true)).toMatchObject({
      result: "bad",
      code: "unavailable",
      fix: "mqttchat broker",
    })
    expect(judgeTls({ ...whole, tls: GONE })).toMatchObject({ result: "bad" })
    expect(judgePin({ ...whole, trusted: new Fault("protocol", "another key", "ask") }, "pin")).toMatchObject(
      {
        result: "bad",
        code: "protocol",
        fix: "ask",
      },
    )
  })

  test("has other nodes, of which some are down", () => {
    const views = [whole, { addresses: GONE }, { ...whole, trusted: new Fault("protocol", "another key") }]
    expect(judgeNodes([faultOf(whole)])).toMatchObject({ result: "good" })
    expect(judgeNodes(views.map(faultOf))).toMatchObject({
      result: "weak",
      found: `${GONE.message}, and 1 more`,
    })
  })

  test("is weak if the broker still accepts TLS 1.2", () => {
    expect(judgeTls({ ...whole, acceptsTls12: true })).toMatchObject({ result: "weak" })
  })

  test("has certificates that expire soon, or have expired", () => {
    const in10 = { ...tls, validTo: NOW + 10 * DAY }
    const over = { ...tls, validTo: NOW - DAY }
    const server = [tls, in10, over].map((one) => judgeCertificate(one, NOW, false))
    expect(results(server)).toEqual(["good", "weak", "bad"])
    const device = [undefined, tls, in10, over].map((one) => judgeDevice(one, NOW))
    expect(results(device)).toEqual(["good", "good", "weak", "bad"])
    expect(judgeCertificate(undefined, NOW, false)).toMatchObject({ result: "unknown" })
  })
})

describe("the profile", () => {
  const paths = { root: "/p", keyFile: "/p/k", database: "/p/d", settings: "/p/s", socket: "/p/o" }
  const file = (path: string, odd: Partial<FileAccess> = {}): FileAccess => {
    return { path, isOpen: false, isInPrivateFolder: true, isForeign: false, changedAt: 0, ...odd }
  }

  test("may hold files with open modes in a closed folder, but no open secrets", () => {
    const open = { isOpen: true }
    expect(judgeFiles([file("/p/k"), file("/p/crl", open)], paths)).toMatchObject({ result: "good" })
    expect(judgeFiles([file("/p/k", open)], paths)).toMatchObject({ result: "weak", fix: "chmod go= /p/k" })
    const exposed = { isOpen: true, isInPrivateFolder: false }
    expect(judgeFiles([file("/p/d", exposed)], paths)).toMatchObject({ result: "bad", code: "config" })
    expect(judgeFiles([file("/p", exposed)], paths)).toMatchObject({ result: "weak" })
    expect(judgeFiles([file("/p/s", { isForeign: true })], paths)).toMatchObject({ result: "bad" })
  })

  test("is held by the doctor, by an owner that answers, or by one that does not", () => {
    const owner = { kind: "owner", outbox: { count: 0, oldest: undefined }, isOnline: true } as const
    const silent = { kind: "silent", pid: 7 } as const
    expect(results([judgeLock({ kind: "doctor" }), judgeLock(owner), judgeLock(silent)])).toEqual([
      "good",
      "good",
      "bad",
    ])
    expect(results([judgeOwner({ kind: "doctor" }), judgeOwner(owner), judgeOwner(silent)])).toEqual([
      "good",
      "good",
      "bad",
    ])
    expect(judgeLock(silent)).toMatchObject({ fix: "kill 7" })
  })

  test("has a message store that is whole, inconsistent, cannot be opened, or is in use", () => {
    const read = {
      kind: "read",
      damagedLogs: [],
      isWhole: true,
      path: "/p/d",
      outbox: { count: 0, oldest: undefined },
    } as const
    const faulty = { kind: "fault", fault: new Fault("damaged-database", "damaged", "mv") } as const
    const judged = [read, { ...read, isWhole: false }, faulty, { kind: "held" } as const].map(judgeDatabase)
    expect(results(judged)).toEqual(["good", "bad", "bad", "unknown"])
    const copy = "/p/messages.db-wal.damaged-0123456789abcdef"
    expect(judgeDatabase({ ...read, damagedLogs: [copy] })).toEqual({
      result: "weak",
      found: `whole; a damaged log is kept in ${copy}, encrypted, also with what you have deleted since`,
      fix: `rm ${copy}`,
    })
  })

  test("has an outbox that is empty, young or old", () => {
    const database = (oldest: number | undefined): DatabaseState => {
      return { kind: "read", isWhole: true, path: "/p/d", outbox: { count: 3, oldest }, damagedLogs: [] }
    }
    const ages = [undefined, NOW - MINUTE, NOW - 2 * DAY].map((oldest) =>
      judgeOutbox({ kind: "doctor" }, database(oldest), NOW),
    )
    expect(results(ages)).toEqual(["good", "good", "weak"])
    expect(ages[2]).toMatchObject({ found: "3 wait, the oldest for 2 days" })
    const held = [undefined, NOW - MINUTE, NOW - 2 * DAY].map((oldest) => {
      const owner = { kind: "owner", outbox: { count: 3, oldest }, isOnline: true } as const
      return judgeOutbox(owner, { kind: "held" }, NOW)
    })
    expect(results(held)).toEqual(["good", "good", "weak"])
  })
})

describe("a probe of the broker", () => {
  const probe = {
    kind: "in",
    mqttVersion: 5,
    connack: undefined,
    returned: true,
    largest: true,
    again: true,
    others: 0,
  } as const
  const judgeAll = (result: LoginResult): string[] =>
    results([judgeLogin, judgeMqtt, judgeRoundTrip, judgeLargest, judgeOffline].map((judge) => judge(result)))

  test("is good, held by the owner, not possible, or refused", () => {
    expect(judgeAll(probe)).toEqual(["good", "good", "good", "good", "good"])
    expect(judgeAll({ kind: "held", online: true })).toEqual(["good", ...Array<string>(4).fill("unknown")])
    expect(judgeAll({ kind: "held", online: false })).toEqual(Array(5).fill("unknown"))
    expect(judgeAll({ kind: "none", why: "no" })).toEqual(Array(5).fill("unknown"))
    const refused = { permanent: true, fault: new Fault("refused", "no") }
    const out = { kind: "out", attempt: { kind: "down", failure: refused } } as const
    expect(judgeAll(out)).toEqual(["bad", ...Array<string>(4).fill("unknown")])
  })

  test("shows messages that do not come back", () => {
    expect(judgeAll({ ...probe, again: false })).toEqual(["good", "good", "good", "good", "weak"])
    const small = { ...probe, largest: false, again: false }
    expect(judgeAll(small)).toEqual(["good", "good", "good", "bad", "unknown"])
    const nothing = { ...small, returned: false }
    expect(judgeAll(nothing)).toEqual(["good", "good", "bad", "unknown", "unknown"])
    expect(judgeRoundTrip({ ...nothing, others: 9 })).toMatchObject({ result: "unknown" })
  })

  test("reports limits that are too low", () => {
    const limits = (properties: object): Judgement => {
      const connack = { cmd: "connack", returnCode: 0, sessionPresent: false, properties } as const
      return judgeMqtt({ ...probe, connack })
    }
    const judged = [
      limits({}),
      limits({ maximumPacketSize: 66_560 }),
      limits({ maximumPacketSize: 65_536 }),
      limits({ maximumQoS: 0 }),
      limits({ sessionExpiryInterval: 60 }),
    ]
    expect(results(judged)).toEqual(["good", "good", "bad", "bad", "weak"])
  })
})

test("an attack of the audit counts if it succeeds in any way, and as unknown if that cannot be determined", () => {
  const [audit] = AUDITS
  if (audit === undefined) throw new Error("no audits")
  const judge = (...outcomes: readonly Outcome[]): Judgement =>
    judgeAudit(audit, new Map(outcomes.map((outcome, at) => [`way ${String(at)}`, outcome])), "mosquitto")
  expect(judge("fails", "fails")).toMatchObject({ result: "good" })
  expect(judge("fails", "unclear")).toMatchObject({ result: "unknown" })
  expect(judge("unclear", "succeeds")).toEqual(weak("yes (way 1)", audit.fixes.mosquitto))
})

test("a ledger that lacks an entry is bad as long as it answers, and a weakness until the user accepts it", () => {
  const trouble = { kind: "rolled-back", since: NOW - 2 * DAY, last: NOW - DAY, entries: 40 } as const
  const asked = { kind: "asked", entries: 45, confirmedAt: NOW - 3 * DAY } as const
  const reports: readonly LedgerReport[] = [
    { kind: "none" },
    { kind: "silent", why: "the broker's registrar does not answer" },
    { ...asked, state: "unknown", trouble: null },
    { ...asked, state: "whole", trouble: null },
    { ...asked, state: "whole", trouble },
    { ...asked, state: "rolled-back", trouble },
    { ...asked, state: "forked", trouble: { ...trouble, kind: "forked" } },
  ]
  const judged = reports.map((report) => judgeLedger(report, false))
  expect(results(judged)).toEqual(["good", "unknown", "unknown", "good", "weak", "bad", "bad"])
  expect(judged.at(-2)).toMatchObject({
    code: "protocol",
    found: "all 45 were there on 2026-06-12; since 2026-06-13 a shorter ledger of 40 entries answers",
    fix: expect.stringContaining("mqttchat doctor --accept-ledger") as unknown,
  })
  expect(judged.at(-1)?.found).toContain("another ledger")
})
