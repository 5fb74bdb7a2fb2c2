import { expect, it } from "vitest"
import { deferred } from "../../src/async/deferred.ts"

it("settles once, as it was told first", async () => {
  const { promise, resolve, reject } = deferred<number>()
  resolve(1)
  resolve(2)
  reject(new Error("too late"))
  await expect(promise).resolves.toBe(1)
})

it("can fail", async () => {
  const { promise, reject } = deferred<number>()
  reject(new Error("no answer"))
  await expect(promise).rejects.toThrow("no answer")
})
