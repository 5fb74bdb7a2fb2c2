import { lookup, type LookupAddress, type LookupOptions } from "node:dns"
import type { LookupFunction } from "node:net"

import { NO_ANSWER } from "./failures.ts"

/** On a local network an answer takes well below a second; a resolver without an answer may take half a minute. */
const LOOKUP_MS = 2_000

type Found = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void
type Lookup = (host: string, options: LookupOptions, found: Found) => void

/** Names that are being looked up. Each takes one of the few threads that files and passphrases need, too. */
const pending = new Map<string, Found[]>()

/** A look-up that ends in time. One that goes on behind it is shared by those who ask for the same name meanwhile. */
export function boundedLookup(look: Lookup = lookup, limitMs = LOOKUP_MS): LookupFunction {
  return (host, options, callback) => {
    const timer = setTimeout(() => finish(timedOut(host), []), limitMs)
    timer.unref()
    let isOver = false
    const finish: Found = (error, address, family) => {
      clearTimeout(timer)
      if (isOver) return
      isOver = true
      callback(error, address, family)
    }
    share(look, host, options, finish)
  }
}

function share(look: Lookup, host: string, options: LookupOptions, found: Found): void {
  const key = JSON.stringify([host, options.family, options.all, options.hints])
  const waiting = pending.get(key)
  if (waiting !== undefined) {
    waiting.push(found)
    return
  }
  pending.set(key, [found])
  look(host, options, (error, address, family) => {
    const answered = pending.get(key) ?? []
    pending.delete(key)
    for (const each of answered) each(error, address, family)
  })
}

function timedOut(host: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`no answer for the name ${host}`), { code: NO_ANSWER })
}
