/** Where a registration can be cut off; for tests that end the process there. What ships has none of them. */
export const REGISTRAR_POINTS = ["join-heard", "join-decided", "join-recorded", "join-answered"] as const

export type RegistrarPoint = (typeof REGISTRAR_POINTS)[number]
