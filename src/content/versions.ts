/** One text of a message; `time` is its author's clock, unix ms. */
export type Version = { readonly text: string; readonly time: number }

/** Edits of one message that are kept: more would be a diary, and no screen shows them. */
export const EDITS_MAX = 32
/** ... and none before those that have this many bytes together, the newest apart: with the last one at most 256 KiB. */
export const EDIT_BYTES_MAX = 192 * 1024

/** The edits with this one, newest first, as many as are kept; the same list if nothing changes. */
export function keepNewest(edits: readonly Version[], version: Version): readonly Version[] {
  const at = edits.findIndex((each) => compareVersions(version, each) >= 0)
  const index = at === -1 ? edits.length : at
  const same = edits[index]
  if (same !== undefined && compareVersions(version, same) === 0) return edits
  const kept = withinBounds(edits.toSpliced(index, 0, version))
  return kept.includes(version) ? kept : edits
}

/**
 * The run from the newest on up to the one that reaches the bound. What is kept then shows that nothing older is, also
 * when what was left out is not remembered: so the order in which versions come does not matter.
 */
function withinBounds(edits: readonly Version[]): Version[] {
  let bytes = 0
  const end = edits.findIndex(({ text }, index) => {
    const isLeftOut = index >= EDITS_MAX || bytes >= EDIT_BYTES_MAX
    if (index > 0) bytes += Buffer.byteLength(text)
    return isLeftOut
  })
  return end === -1 ? [...edits] : edits.slice(0, end)
}

/** By time; of two at the same millisecond the greater text counts, so that both sides choose the same. */
function compareVersions(a: Version, b: Version): number {
  return a.time - b.time || Buffer.compare(Buffer.from(a.text), Buffer.from(b.text))
}
