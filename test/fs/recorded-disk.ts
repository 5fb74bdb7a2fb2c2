import fs from "node:fs"
import { join } from "node:path"

/** What a power cut leaves below a folder: the paths of its files, and what each holds. */
export type Disk = ReadonlyMap<string, Buffer>

/** A file or folder, as long as it exists; the file system gives a dead one's number to a new one. */
type Node = number
type Names = ReadonlyMap<string, Node>
/** A name that was given, or taken away (undefined), and may not be on the disk yet. */
type NameChange = { readonly at: number; readonly folder: Node; readonly name: string; readonly node?: Node }

/** More changes of names than this are not tried in every combination. */
const COMBINED_MAX = 5

/** How much of what was written to a file, and not synced, has reached the disk. */
const TEARS = {
  "nothing of it": (before) => before,
  all: (_before, after) => after,
  "its beginning": (before, after) => half(after, before),
  "its end": (before, after) => half(before, after),
} satisfies Record<string, (before: Buffer, after: Buffer) => Buffer>

/** What is below a folder now, and what of it is on the disk. */
export class RecordedDisk {
  readonly folder: string
  readonly #numbers = new Map<string, Node>()
  readonly #isFolder = new Set<Node>()
  /** What was synced. */
  readonly #contents = new Map<Node, Buffer>()
  readonly #root: Node
  #synced: Map<Node, Names>
  #present: Map<Node, Names>
  /** Changes of one call stand together: all or none of them reach the disk. */
  #changes: NameChange[][] = []
  #next = 0

  /** What lies there now is on the disk. */
  constructor(folder: string) {
    this.folder = folder
    this.#root = this.#nodeAt(folder)
    this.#present = this.#scan()
    this.#synced = new Map(this.#present)
    for (const [path, node] of this.#files(this.#present))
      this.#contents.set(node, fs.readFileSync(join(folder, path)))
  }

  /** A file or folder that was just made. */
  isNew(path: string): void {
    this.#numbers.delete(idOf(path))
    this.#contents.delete(this.#nodeAt(path))
  }

  /** Called after each call that may have changed names. */
  look(): void {
    const before = this.#present
    this.#present = this.#scan()
    const changes = [...this.#present].flatMap(([folder, names]) => {
      if (!this.#synced.has(folder)) this.#synced.set(folder, new Map())
      return differences(before.get(folder) ?? new Map<string, Node>(), names).map((change) => ({
        ...change,
        at: this.#next++,
        folder,
      }))
    })
    if (changes.length > 0) this.#changes.push(changes)
  }

  /** The path of what is open as `fd`, "." for the folder itself, or undefined if it is not below the folder. */
  pathOf(fd: number): string | undefined {
    const node = this.#numbers.get(numberOf(fs.fstatSync(fd, { bigint: true })))
    if (node === undefined) return undefined
    if (node === this.#root) return "."
    return [...this.#walk(this.#present)].find(([, other]) => other === node)?.[0]
  }

  /** What is on the disk when the sync that begins now is done. */
  syncing(fd: number, path: string): () => void {
    const node = this.#numbers.get(numberOf(fs.fstatSync(fd, { bigint: true }))) ?? this.#root
    if (!this.#isFolder.has(node)) {
      const bytes = fs.readFileSync(join(this.folder, path))
      return () => this.#contents.set(node, bytes)
    }
    const names = this.#present.get(node) ?? new Map<string, Node>()
    const until = this.#next
    return () => {
      this.#synced.set(node, names)
      this.#changes = this.#changes
        .map((group) => group.filter(({ folder, at }) => folder !== node || at >= until))
        .filter((group) => group.length > 0)
    }
  }

  /** Only what was synced; with `names`, also the names that were not. */
  left(names = false): Disk {
    return this.#disk(names ? this.#present : this.#synced, TEARS["nothing of it"])
  }

  /** All that a power cut now could leave where the disk keeps no order among what was not synced. */
  torn(): Disk[] {
    return subsetsOf(this.#changes).flatMap((groups) => {
      const names = this.#with(groups)
      return Object.values(TEARS).map((tear) => this.#disk(names, tear))
    })
  }

  #with(groups: readonly NameChange[][]): Map<Node, Names> {
    const changed = new Map([...this.#synced].map(([folder, names]) => [folder, new Map(names)]))
    for (const { folder, name, node } of groups.flat()) {
      if (node === undefined) changed.get(folder)?.delete(name)
      else changed.get(folder)?.set(name, node)
    }
    return changed
  }

  #disk(names: ReadonlyMap<Node, Names>, tear: (before: Buffer, after: Buffer) => Buffer): Disk {
    const present = new Map([...this.#files(this.#present)].map(([path, node]) => [node, path]))
    return new Map(
      [...this.#files(names)].map(([path, node]) => {
        const synced = this.#contents.get(node) ?? Buffer.alloc(0)
        const now = present.get(node)
        const isSame = tear === TEARS["nothing of it"] || now === undefined
        return [path, isSame ? synced : tear(synced, fs.readFileSync(join(this.folder, now)))]
      }),
    )
  }

  *#files(names: ReadonlyMap<Node, Names>): Iterable<[string, Node]> {
    for (const found of this.#walk(names)) if (!this.#isFolder.has(found[1])) yield found
  }

  *#walk(names: ReadonlyMap<Node, Names>, folder = this.#root, path = ""): Iterable<[string, Node]> {
    for (const [name, node] of names.get(folder) ?? []) {
      yield [path + name, node]
      if (this.#isFolder.has(node)) yield* this.#walk(names, node, `${path}${name}/`)
    }
  }

  #scan(folder = this.folder, found = new Map<Node, Names>()): Map<Node, Names> {
    const node = this.#nodeAt(folder)
    const names = new Map<string, Node>()
    found.set(node, names)
    this.#isFolder.add(node)
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isFile() || entry.isDirectory()) names.set(entry.name, this.#nodeAt(path))
      if (entry.isDirectory()) this.#scan(path, found)
    }
    return found
  }

  #nodeAt(path: string): Node {
    const number = idOf(path)
    const known = this.#numbers.get(number)
    const node = known ?? ++this.#next
    this.#numbers.set(number, node)
    return node
  }
}

function idOf(path: string): string {
  return numberOf(fs.lstatSync(path, { bigint: true }))
}

function numberOf({ dev, ino }: fs.BigIntStats): string {
  return `${dev}:${ino}`
}

function differences(before: Names, after: Names): { name: string; node?: Node }[] {
  const given = [...after].filter(([name, node]) => before.get(name) !== node)
  const taken = [...before.keys()].filter((name) => !after.has(name))
  return [...given.map(([name, node]) => ({ name, node })), ...taken.map((name) => ({ name }))]
}

function subsetsOf<T>(all: readonly T[]): T[][] {
  if (all.length > COMBINED_MAX) {
    const beginnings = all.map((_, count) => all.slice(0, count))
    return [...beginnings, [...all], ...all.map((one) => all.filter((other) => other !== one))]
  }
  return all.reduce<T[][]>((subsets, one) => subsets.flatMap((subset) => [subset, [...subset, one]]), [[]])
}

/** The first half of what differs as in `first`, all else as in `rest`. */
function half(first: Buffer, rest: Buffer): Buffer {
  const length = Math.max(first.length, rest.length)
  const [one, other] = [first, rest].map((bytes) => Buffer.concat([bytes], length))
  if (one === undefined || other === undefined) return rest
  let from = 0
  while (from < length && one[from] === other[from]) from++
  let to = length
  while (to > from && one[to - 1] === other[to - 1]) to--
  const middle = from + Math.floor((to - from) / 2)
  const isTail = rest.length < first.length
  return Buffer.concat([one.subarray(0, middle), other.subarray(middle)], isTail ? middle : length)
}
