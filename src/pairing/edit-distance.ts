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
