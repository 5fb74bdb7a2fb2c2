import { afterEach, describe, expect, test, vi } from "vitest"
import { openMachineClocks, openTimers, openUptime } from "../../src/cli/profile/machine-clocks.ts"
import { HOUR_MS } from "../../src/time-units.ts"

afterEach(() => void vi.useRealTimers())

describe("[D-106] the uptime", () => {
  test("counts a suspension, in which the monotonic clock stands still", () => {
    const machine = { awake: 5_000, total: 90_000 }
    const uptime = openUptime(
      () => machine.awake,
      () => machine.total,
    )
    expect(uptime()).toBe(90_000)
    machine.awake += 400
    expect(uptime()).toBe(90_400)
    machine.awake += 1_000
    machine.total += 1_400 + 8 * HOUR_MS
    expect(uptime()).toBe(91_400 + 8 * HOUR_MS)
  })

  test("does not go back where the system rounds it", () => {
    const machine = { awake: 0, total: 10_999 }
    const uptime = openUptime(
      () => machine.awake,
      () => machine.total,
    )
    let before = uptime()
    for (let n = 0; n < 50; n++) {
      machine.awake += 300
      machine.total = Math.floor((10_999 + machine.awake) / 1_000) * 1_000
      expect(uptime()).toBe(before + 300)
      before = uptime()
    }
  })

  test("and the name of the boot are there on Linux, and Node's own clock for what is shown", () => {
    const { boot, uptime, wallClock } = openMachineClocks()
    expect(wallClock).toBe(Date.now)
    expect(uptime()).toBeGreaterThan(0)
    if (process.platform === "linux") expect(boot).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe("[D-106] a timer", () => {
  /** The monotonic clock is Node's, under fake timers; `asleep` is what the machine slept. */
  function machine() {
    vi.useFakeTimers()
    const begun = Date.now()
    const state = { asleep: 0 }
    const timers = openTimers(() => Date.now() - begun + state.asleep)
    return { state, ...timers }
  }

  test("ends at its time", () => {
    const { after } = machine()
    const run = vi.fn()
    after(HOUR_MS, run)
    vi.advanceTimersByTime(HOUR_MS - 1)
    expect(run).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(run).toHaveBeenCalledOnce()
  })

  test("of a month is no timer of Node that ends at once", () => {
    const { after } = machine()
    const run = vi.fn()
    after(30 * 24 * HOUR_MS, run)
    vi.advanceTimersByTime(HOUR_MS)
    expect(run).not.toHaveBeenCalled()
  })

  test("that ended while the machine slept runs within 15 s of its waking", () => {
    const { after, state } = machine()
    const run = vi.fn()
    after(HOUR_MS, run)
    vi.advanceTimersByTime(60_000)
    state.asleep += 8 * HOUR_MS
    vi.advanceTimersByTime(15_000)
    expect(run).toHaveBeenCalledOnce()
  })

  test("that was cancelled, or of a command that ended, does not run, and keeps no process alive", () => {
    const { after, clear } = machine()
    const run = vi.fn()
    const cancel = after(HOUR_MS, run)
    vi.advanceTimersByTime(60_000)
    cancel()
    after(HOUR_MS, run)
    vi.advanceTimersByTime(60_000)
    clear()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(2 * HOUR_MS)
    expect(run).not.toHaveBeenCalled()
  })
})
