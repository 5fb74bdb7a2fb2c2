export const a=12
