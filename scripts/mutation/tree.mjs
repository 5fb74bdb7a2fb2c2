import { execFileSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { ROOT } from "../ready.mjs"
import { instrument } from "./instrument.mjs"

/** A copy of the working tree with all mutants in it, built. */
export function makeTree(folder, mutants) {
  const tree = join(folder, "tree")
  rmSync(tree, { recursive: true, force: true })
  for (const path of filesOfProject()) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    cpSync(join(ROOT, path), join(tree, path))
  }
  // Packages resolve each other by their real path, so a link to the folder would lead out of the copy.
  execFileSync("cp", ["-al", join(ROOT, "node_modules"), join(tree, "node_modules")])
  mkdirSync(join(folder, "hits"), { recursive: true })
  // Some tests run the program as another user.
  chmodSync(join(folder, "hits"), 0o777)
  writeFileSync(join(folder, "active"), "")
  writeFileSync(join(folder, "current"), "build")
  instrument(tree, folder, mutants)
  const build = `import("./test/build.ts").then(({ default: build }) => build())`
  execFileSync(process.execPath, ["--import", "tsx", "--eval", build], { cwd: tree, stdio: "inherit" })
  return tree
}

function filesOfProject() {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
  const paths = execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).split("\0")
  return paths.filter((path) => path !== "" && existsSync(join(ROOT, path)))
}
