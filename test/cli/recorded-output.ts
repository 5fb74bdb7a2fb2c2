import type { Output } from "../../src/cli/terminal/output.ts"

/** What a command prints, row by row: `rows` of stdout, `warnings` of stderr. Nothing is ever refused. */
export class RecordedOutput implements Output {
  readonly json = false
  readonly ascii = false
  readonly rows: string[] = []
  readonly warnings: string[] = []
  readonly lost: Promise<void>
  /** As when the reader of stdout goes away. */
  lose: () => void = () => undefined

  constructor() {
    this.lost = new Promise((resolve) => (this.lose = resolve))
  }

  readonly data: Output["data"] = (row) => void this.rows.push(row)
  readonly record: Output["record"] = (_schema, value) => void this.rows.push(JSON.stringify(value))
  readonly prose: Output["prose"] = (row) => void this.rows.push(row)
  readonly report = { data: this.data, record: this.record }
  readonly bytes = (): void => undefined
  readonly info = (): void => undefined
  readonly done = (): void => undefined
  readonly next = (): void => undefined
  readonly warn: Output["warn"] = (row) => void this.warnings.push(row)
  readonly advised: Output["advised"] = (row) => row
  readonly styled: Output["styled"] = (_style, text) => text
  readonly flushed = (): Promise<boolean> => Promise.resolve(true)
  readonly conclude = (): Promise<number> => Promise.resolve(0)
}
