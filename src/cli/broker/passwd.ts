import { type PasswdOptions, reseal } from "../profile/passwd.ts"
import type { Context } from "../terminal/context.ts"
import { brokerKeyTarget } from "./keys.ts"

/** Seals the keys of broker and registrar under another passphrase. */
export async function brokerPasswd(context: Context, options: PasswdOptions): Promise<void> {
  const target = brokerKeyTarget(context)
  await reseal(context, options, {
    target,
    lock: context.paths.brokerLock,
    command: "mqttchat broker passwd",
  })
}
