// Loaded into a program with --require and --expose-gc: at SIGUSR2 it says on stderr what it holds once all garbage is gone.
const { writeHeapSnapshot } = require("node:v8")

process.on("SIGUSR2", () => {
  global.gc()
  const megabytes = Object.entries(process.memoryUsage()).map(([of, bytes]) => [
    of,
    Math.round(bytes / 1e5) / 10,
  ])
  const folder = process.env["MQTTCHAT_BENCH_SNAPSHOTS"]
  if (folder) writeHeapSnapshot(`${folder}/${process.pid}-${Date.now()}.heapsnapshot`)
  process.stderr.write(`${JSON.stringify(Object.fromEntries(megabytes))}\n`)
})
