import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { ROOT, install, run } from "./ready.mjs"

/**
 * The commands of the README on each Node that package.json names in `engines`: the oldest 20, and the newest of the
 * others with npm 12, which runs no install script and does not run on Node 20. The oldest and the newest begin as a new
 * clone does, without any packages.
 */
const MATRIX = [
  { node: "20.19.0", fresh: true },
  { node: "22", npm: "12" },
  { node: "24", npm: "12" },
  { node: "26", npm: "12", fresh: true },
]
const NODE = `node-${process.platform}-${process.arch}`
const QUIETLY = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
const README_TEST = "test/scenario/readme.test.ts"

install()
for (const wanted of MATRIX) {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-node-"))
  try {
    // The test runs as a user that is not root.
    chmodSync(folder, 0o755)
    runOn(wanted, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runOn({ node, npm, fresh }, folder) {
  const packages = [`${NODE}@${node}`, ...(npm === undefined ? [] : [`npm@${npm}`])]
  run("npm", "install", "--prefix", folder, ...QUIETLY, ...packages)
  const bin = join(folder, "node_modules/.bin")
  const PATH = [bin, process.env.PATH].join(delimiter)
  console.log(`\n== Node ${versionOf("node", node, PATH)}, npm ${versionOf("npm", npm ?? "", PATH)}`)
  const { status } = spawnSync(join(ROOT, "node_modules/.bin/vitest"), ["run", README_TEST], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, MQTTCHAT_README_PATH: bin, MQTTCHAT_README_FRESH: fresh ? "1" : "" },
  })
  if (status !== 0) process.exitCode = 1
}

/** @throws Error if a different version would run. */
function versionOf(program, wanted, PATH) {
  const { stdout } = spawnSync(program, ["--version"], { env: { ...process.env, PATH }, encoding: "utf8" })
  const version = stdout.trim().replace(/^v/, "")
  if (version === wanted || version.startsWith(wanted === "" ? "" : `${wanted}.`)) return version
  throw new Error(`${program} ${wanted} is wanted, and ${version} would run`)
}
