import type { DeviceId } from "../../store/ids.ts"

/** As long as nothing is taken for the device, each rest is twice as long as the last. */
const REST_MS = { first: 1_000, longest: 60_000 } as const

type Rest = { readonly failures: number; readonly cancel: () => void; readonly isOver: boolean }

/** Devices for which the broker takes nothing just now. */
export class DeviceRests {
  readonly #after: (ms: number, run: () => void) => () => void
  readonly #rests = new Map<DeviceId, Rest>()

  constructor(after: (ms: number, run: () => void) => () => void) {
    this.#after = after
  }

  readonly has = (device: DeviceId): boolean => this.#rests.get(device)?.isOver === false

  /** How many the broker took nothing for when it was last asked. */
  get refused(): number {
    return this.#rests.size
  }

  /** All that are refused together share one rest. */
  begin(device: DeviceId, whenOver: () => void): void {
    if (this.has(device)) return
    const failures = this.#rests.get(device)?.failures ?? 0
    const cancel = this.#after(restAfter(failures), () => {
      this.#rests.set(device, { failures: failures + 1, cancel: () => undefined, isOver: true })
      whenOver()
    })
    this.#rests.set(device, { failures, cancel, isOver: false })
  }

  end(device: DeviceId): void {
    this.#rests.get(device)?.cancel()
    this.#rests.delete(device)
  }

  endAll(): void {
    for (const device of [...this.#rests.keys()]) this.end(device)
  }
}

export function restAfter(failures: number): number {
  return Math.min(REST_MS.first * 2 ** failures, REST_MS.longest)
}
