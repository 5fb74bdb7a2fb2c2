export const a=6
