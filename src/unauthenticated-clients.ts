/**
 * Clients that have not shown yet who they are. When there is one too many, the oldest of the group that has the most is
 * ended, so that clients that keep silent take no place from one that does not.
 */
export class UnauthenticatedClients {
  readonly #max: number
  readonly #groups = new Map<string, Set<() => void>>()
  #size = 0

  constructor(max: number) {
    this.#max = max
  }

  /**
   * `end` is called if this client has to make room. Call the returned function when it has shown who it is, or has gone.
   */
  add(group: string, end: () => void): () => void {
    if (this.#size >= this.#max) this.endOldest()
    const members = this.#groups.get(group) ?? new Set()
    const member = (): void => end()
    this.#groups.set(group, members.add(member))
    this.#size += 1
    return () => this.#remove(group, member)
  }

  /** Ends the oldest of the largest group, or of this one. */
  endOldest(group = this.#largest()): void {
    const [oldest] = this.#groups.get(group) ?? []
    if (oldest === undefined) return
    this.#remove(group, oldest)
    oldest()
  }

  #remove(group: string, member: () => void): void {
    const members = this.#groups.get(group)
    if (members?.delete(member) !== true) return
    this.#size -= 1
    if (members.size === 0) this.#groups.delete(group)
  }

  #largest(): string {
    let [largest, most] = ["", 0]
    for (const [group, { size }] of this.#groups) if (size > most) [largest, most] = [group, size]
    return largest
  }
}
