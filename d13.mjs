export const a=13
