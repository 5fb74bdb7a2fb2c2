import { readAll } from "../files.mjs"
import { mutantsOf } from "./mutants.mjs"

/** Rooms with effects, and how many mutants of each a sample of 320 has: about as many as they have code. */
export const ROOMS = {
  engine: 100,
  cli: 60,
  broker: 40,
  registrar: 30,
  store: 30,
  transport: 25,
  daemon: 20,
  fs: 10,
  keystore: 5,
}

/** A seeded sample of the one-line mutants of the rooms, each with an id. */
export function sampleOf({ seed, rooms, times, kind }) {
  const random = mulberry32(seed)
  const drawn = rooms.flatMap((room) => {
    const all = allOf(room).filter((mutant) => kind === undefined || mutant.kind === kind)
    return draw(all, ROOMS[room] * times, random)
  })
  return drawn.map((mutant, id) => ({ id, ...mutant }))
}

function allOf(room) {
  const files = readAll(`src/${room}`, /(?<!\.d)\.ts$/)
  files.sort((one, other) => (one.path < other.path ? -1 : 1))
  return files.flatMap(({ path, text }) => mutantsOf(path, text))
}

function draw(all, count, random) {
  const left = [...all]
  const drawn = []
  while (drawn.length < count && left.length > 0)
    drawn.push(...left.splice(Math.floor(random() * left.length), 1))
  return drawn
}

/** A small generator of numbers from 0 to 1: the same for the same seed on every machine. */
function mulberry32(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
