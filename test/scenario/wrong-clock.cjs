// Preloaded into a process of the program: the machine's clock is wrong by WRONG_CLOCK_HOURS. Its uptime is not, and the
// program itself stays as it is shipped.
const wrongByMs = Number(process.env.WRONG_CLOCK_HOURS) * 3_600_000
const RealDate = globalThis.Date

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + wrongByMs)
    else super(...args)
  }

  static now() {
    return RealDate.now() + wrongByMs
  }
}
