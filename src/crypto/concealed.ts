import { inspect } from "node:util"

/**
 * Gives a secret a face for everything that prints: inspect, JSON and templates show ‹name›. The object itself
 * is changed and returned; its fields and bytes stay as they are.
 */
export function concealed<T extends object>(name: string, secret: T): T {
  const print = { value: () => `‹${name}›` }
  return Object.defineProperties(secret, { [inspect.custom]: print, toJSON: print, toString: print })
}
