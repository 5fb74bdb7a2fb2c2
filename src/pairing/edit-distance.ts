/**
 * `editDistance` if it is at most `max`. Two spellings whose lengths differ by more are further apart, so the work is
 * bounded by the shorter one, however long the other is.
 */
export function editDistanceWithin(from: string, to: string, max: number): number | undefined {
  if (Math.abs(from.length - to.length) > max) return undefined
  const errors = editDistance(from, to)
  return errors <= max ? errors : undefined
}

/** The Levenshtein distance with two swapped neighbours as one error, a common one in typing. */
export function editDistance(from: string, to: string): number {
  let before: readonly number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < to.length; j++) {
      const [left = 0, above = 0, diagonal = 0] = [next[j], row[j + 1], row[j]]
      const swapped = from[i] === to[j - 1] && from[i - 1] === to[j] ? (before[j - 1] ?? Infinity) : Infinity
      next.push(Math.min(left + 1, above + 1, diagonal + (from[i] === to[j] ? 0 : 1), swapped + 1))
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}
