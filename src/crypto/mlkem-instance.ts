import { createMlKem768 } from "mlkem"

export const mlkem = await createMlKem768()
