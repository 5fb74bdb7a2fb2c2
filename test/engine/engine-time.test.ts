import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  bearOut,
  clockDoubt,
  considerAgain,
  firstTime,
  isBorneOutBy,
  resumeTime,
  savedTime,
  SAVED_WITHIN_MS,
  timeAt,
  type EngineTime,
  type MachineTime,
} from "../../src/engine/state/engine-time.ts"
import { decodeTime, encodeTime } from "../../src/engine/state/saved-time.ts"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"

const START = 1_800_000_000_000

/** A machine whose true time is known to the test, and its profile. */
class Machine {
  /** True ms since the start, and what of it the machine was off. */
  passed = 0
  wallError = 0
  #booted = 0
  #boots = 1
  time: EngineTime = firstTime(this.read)
  saved = savedTime(this.time, this.read)

  get read(): MachineTime {
    const { passed, wallError } = this
    return { boot: `${this.#boots}`, uptime: passed - this.#booted, wall: START + passed + wallError }
  }

  get now(): number {
    return timeAt(this.time, this.read.uptime)
  }

  save(): void {
    this.saved = decodeTime(encodeTime(savedTime(this.time, this.read)))!
    this.time = { ...this.time, agreed: this.saved.agreed }
  }

  restart(): void {
    this.time = resumeTime(this.saved, this.read)
    this.save()
  }

  off(ms: number): void {
    this.passed += ms
    this.#booted = this.passed
    this.#boots++
  }

  receive(theirs = START + this.passed): number {
    if (!isBorneOutBy(this.time, this.read, theirs)) return 0
    const { time, by } = bearOut(this.time, this.read)
    this.time = time
    this.save()
    return by
  }

  check(): number {
    const { time, by } = considerAgain(this.time, this.read)
    this.time = time
    return by
  }
}

describe("within one boot", () => {
  test.each([-400, -60, 60, 400])("a clock that is set by %i days changes nothing", (days) => {
    const machine = new Machine()
    machine.passed += HOUR_MS
    machine.wallError += days * DAY_MS
    expect(machine.now).toBe(START + HOUR_MS)
    machine.restart()
    expect(machine.check()).toBe(0)
    machine.passed += HOUR_MS
    expect(machine.now).toBe(START + 2 * HOUR_MS)
    expect(clockDoubt(machine.time, machine.read)).toEqual({
      shows: START + 2 * HOUR_MS + days * DAY_MS,
      expected: START + 2 * HOUR_MS,
    })
    machine.wallError = 0
    expect(clockDoubt(machine.time, machine.read)).toBeUndefined()
  })

  test("a contact who has the same time ends the doubt, and the time goes on as before", () => {
    const machine = new Machine()
    machine.wallError = -60 * DAY_MS
    machine.restart()
    machine.receive()
    expect(clockDoubt(machine.time, machine.read)).toBeDefined()
    machine.wallError = 0
    machine.time = { ...machine.time, agreed: { time: START, wall: START - 60 * DAY_MS } }
    expect(clockDoubt(machine.time, machine.read)).toBeDefined()
    expect(machine.receive()).toBe(0)
    expect(clockDoubt(machine.time, machine.read)).toBeUndefined()
    expect(machine.now).toBe(START)
  })
})

describe("after a boot", () => {
  test.each([0, HOUR_MS, 6 * DAY_MS])("the time that the machine was off counts (%i ms)", (ms) => {
    const machine = new Machine()
    machine.off(ms)
    machine.restart()
    expect(machine.now).toBe(START + ms)
    expect(clockDoubt(machine.time, machine.read)).toBeUndefined()
  })

  test.each([-400, -1, 8, 400])("a clock that is %i days wrong is not believed, and told", (days) => {
    const machine = new Machine()
    machine.off(HOUR_MS)
    machine.wallError = days * DAY_MS
    machine.restart()
    expect(machine.now).toBe(START + SAVED_WITHIN_MS)
    expect(clockDoubt(machine.time, machine.read)).toEqual({
      shows: START + HOUR_MS + days * DAY_MS,
      expected: START + SAVED_WITHIN_MS,
    })
    machine.passed += MINUTE_MS
    machine.wallError = 0
    expect(machine.check()).toBe(HOUR_MS - SAVED_WITHIN_MS)
    expect(machine.now).toBe(START + HOUR_MS + MINUTE_MS)
  })

  test("of a month a contact bears it out, if one did before", () => {
    const machine = new Machine()
    machine.receive()
    machine.off(30 * DAY_MS)
    machine.restart()
    expect(machine.now).toBe(START + SAVED_WITHIN_MS)
    machine.passed += HOUR_MS
    expect(machine.receive()).toBe(30 * DAY_MS - SAVED_WITHIN_MS)
    expect(machine.now).toBe(START + 30 * DAY_MS + HOUR_MS)
    expect(machine.time.since).toBe(START + 30 * DAY_MS)
  })

  test("of a month is not counted if no one ever bore the clock out", () => {
    const machine = new Machine()
    machine.off(30 * DAY_MS)
    machine.restart()
    expect(machine.receive()).toBe(0)
    expect(machine.now).toBe(START + SAVED_WITHIN_MS)
    expect(clockDoubt(machine.time, machine.read)).toBeUndefined()
  })

  test("without a name the machine's uptime tells it, or its clock", () => {
    const machine = new Machine()
    machine.passed += HOUR_MS
    machine.save()
    const { boot } = machine.read
    const uptime = 5 * MINUTE_MS
    const resumed = resumeTime(machine.saved, { boot, uptime, wall: START + 2 * HOUR_MS })
    expect(timeAt(resumed, uptime)).toBe(START + 2 * HOUR_MS)
  })
})

const step = fc.oneof(
  fc.record({ kind: fc.constant("pass"), ms: fc.integer({ min: 0, max: 3 * DAY_MS }) }),
  fc.record({ kind: fc.constant("set"), days: fc.integer({ min: -400, max: 400 }) }),
  fc.record({ kind: fc.constant("set right") }),
  fc.record({ kind: fc.constant("restart") }),
  fc.record({ kind: fc.constant("boot"), ms: fc.integer({ min: 0, max: 40 * DAY_MS }) }),
  fc.record({ kind: fc.constant("receive") }),
  fc.record({ kind: fc.constant("check") }),
)

/** A clock that is wrong by less than the time that is believed cannot be told from a right one. */
const UNSEEN_MS = 7 * DAY_MS

test("no order of wrong clocks, restarts and boots makes time go back, or ahead of the true time by more than a clock may be wrong unseen", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const machine = new Machine()
      let boots = 0
      for (const each of steps) {
        const before = machine.now
        apply(machine, each)
        boots += each.kind === "boot" ? 1 : 0
        expect(machine.now).toBeGreaterThanOrEqual(before)
        expect(machine.now - START - machine.passed).toBeLessThanOrEqual(
          boots * (UNSEEN_MS + SAVED_WITHIN_MS),
        )
      }
    }),
  )
})

function apply(machine: Machine, each: { kind: string; ms?: number; days?: number }): void {
  if (each.kind === "pass") machine.passed += each.ms ?? 0
  if (each.kind === "set") machine.wallError = (each.days ?? 0) * DAY_MS
  if (each.kind === "set right") machine.wallError = 0
  if (each.kind === "receive") machine.receive()
  if (each.kind === "check") machine.check()
  if (each.kind === "boot") {
    machine.save()
    machine.off(each.ms ?? 0)
  }
  if (each.kind === "restart" || each.kind === "boot") machine.restart()
}
