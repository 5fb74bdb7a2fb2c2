// Preloaded into a process of the program: each wait of a second or more passes ten times as fast. For stories about what
// happens when a wait is over; the program itself stays as it is shipped.
const LONG_MS = 1_000
const FASTER = 10

for (const name of ["setTimeout", "setInterval"]) {
  const real = globalThis[name]
  const quick = (run, ms, ...args) => real(run, ms >= LONG_MS ? ms / FASTER : ms, ...args)
  globalThis[name] = Object.assign(quick, real)
}
