import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import { toBase64url, toHex } from "../src/crypto/bytes.ts"
import { systemRandom } from "../src/crypto/random.ts"
import { ACCESS, COMMANDS } from "../src/engine/api.ts"
import { DEBUG_EVENTS } from "../src/debug/events.ts"
import type { Field } from "../src/debug/fields.ts"
import { openKeyFile } from "../src/keystore/keyfile.ts"
import { needsPassphrase } from "../src/keystore/sealed-file.ts"

/** As in the code of a pairing; a shorter word is also one of ours. */
const SECRET_CHARACTERS_MIN = 8
/** A file with a passphrase has a line. */
const SMALL_FILE_BYTES = 4_096
const TOKEN = /[A-Za-z0-9_+/=.-]+/g
/** Times and short ids are in lines and in other outputs. */
const PUBLIC = /^20\d\d-\d\d-\d\d|^[0-9a-f]{8}$/
const ID = /"([0-9a-f]{8})"/g

/** What every line may say besides the fields of its event. */
const FRAME = ["schema", "time", "pid", "topic", "event"]
/** A process that is killed while it writes may leave the beginning of a line. */
const BEGINNING = '{"schema":"mqttchat/debug/1"'

type Declared = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Field<unknown>>>>>>>
const declared: Declared = DEBUG_EVENTS

/** Runs the programs of a story with every debug topic on, and looks for the story's secrets in what they wrote. */
export class DebugWitness {
  /** For the environment of every program. */
  readonly env: NodeJS.ProcessEnv
  readonly #folder: string
  readonly #file: string
  readonly #said: string[] = []

  constructor(folder: string) {
    this.#folder = folder
    this.#file = join(folder, "debug.jsonl")
    this.env = { MQTTCHAT_DEBUG: "all", MQTTCHAT_DEBUG_FILE: this.#file }
  }

  /** Arguments, what was typed, and what a program printed: none of it may be in a debug line. */
  observe(...texts: readonly string[]): void {
    this.#said.push(...texts)
    // Passphrases are often in files.
    for (const path of texts) {
      if (!path.startsWith("/") || path.length > 255 || !existsSync(path)) continue
      const found = statSync(path)
      if (found.isFile() && found.size <= SMALL_FILE_BYTES) this.#said.push(readFileSync(path, "latin1"))
    }
  }

  /** What was noted so far. */
  lines(): readonly DebugLine[] {
    if (!existsSync(this.#file)) return []
    return readFileSync(this.#file, "utf8").split("\n").flatMap(parseLine)
  }

  /** Fails for a line that says more than is declared, and for a secret anywhere. Before the folder is removed. */
  async check(): Promise<void> {
    if (!existsSync(this.#file)) return
    for (const line of this.lines()) checkFields(line)
    const text = readFileSync(this.#file, "utf8")
    const tokens = new Set(text.match(TOKEN) ?? [])
    const phrase = this.#said.map((said) => said.trim()).find((said) => isPhrase(said) && text.includes(said))
    const leaked = phrase ?? this.#secretTokens().find((token) => tokens.has(token))
    if (leaked !== undefined) throw new Error(`a debug line holds "${leaked}"`)
    const ids = new Set([...text.matchAll(ID)].map(([, id]) => id))
    for (const key of await this.#keys()) {
      const forms = [toHex(key), toBase64url(key), Buffer.from(key).toString("base64").replace(/=+$/, "")]
      if (forms.some((form) => text.includes(form)) || ids.has(toHex(key.subarray(0, 4))))
        throw new Error("a debug line holds a key")
    }
  }

  /** Whatever is long enough, and is not a word that the program itself uses in its lines. */
  #secretTokens(): readonly string[] {
    const files = this.#files().filter((path) => basename(path) === "api.token")
    const texts = [...this.#said, ...files.map((path) => readFileSync(path, "latin1"))]
    return texts
      .flatMap((text) => text.match(TOKEN) ?? [])
      .filter(
        (token) => token.length >= SECRET_CHARACTERS_MIN && !VOCABULARY.has(token) && !PUBLIC.test(token),
      )
  }

  /** Of profiles without a passphrase; the others cost too much time to open in every story. */
  async #keys(): Promise<readonly Uint8Array[]> {
    const keys: Uint8Array[] = []
    for (const path of this.#files().filter((file) => basename(file) === "identity.key")) {
      if (await needsPassphrase({ path, purpose: "identity" }).catch(() => true)) continue
      const { ring } = await openKeyFile(path, "", systemRandom)
      keys.push(ring.databaseKey, ring.identity.signSecret, ring.identity.boxSecret)
    }
    return keys
  }

  #files(): readonly string[] {
    return readdirSync(this.#folder, { recursive: true, encoding: "utf8" }).map((name) =>
      join(this.#folder, name),
    )
  }
}

/** A passphrase or a text of several short words. */
function isPhrase(said: string): boolean {
  return said.includes(" ") && said.length >= SECRET_CHARACTERS_MIN && said.length <= SMALL_FILE_BYTES
}

export type DebugLine = { readonly topic: string; readonly event: string; readonly [field: string]: unknown }

function parseLine(line: string): readonly DebugLine[] {
  try {
    return [JSON.parse(line) as DebugLine]
  } catch {
    if (line === "" || line.startsWith(BEGINNING) || BEGINNING.startsWith(line)) return []
    throw new Error(`not a debug line: ${line}`)
  }
}

function checkFields(line: DebugLine): void {
  const fields = declared[line.topic]?.[line.event]
  if (fields === undefined) throw new Error(`an event that is not declared: ${JSON.stringify(line)}`)
  for (const [name, value] of Object.entries(line)) {
    if (FRAME.includes(name) || fields[name]?.admits(value) === true) continue
    throw new Error(`a field that is not declared: ${name} in ${JSON.stringify(line)}`)
  }
}

/** Words of lines that users type too, such as a topic or a method. */
const events = Object.values(declared).flatMap((topic) => Object.entries(topic))
const fields = events.flatMap(([, event]) => Object.entries(event))
const VOCABULARY: ReadonlySet<string> = new Set([
  "mqttchat/debug/1",
  ...Object.keys(declared),
  ...events.map(([name]) => name),
  ...fields.map(([name]) => name),
  ...fields.flatMap(([, field]) => field.words ?? []),
  ...Object.keys({ ...COMMANDS, ...ACCESS }),
])
