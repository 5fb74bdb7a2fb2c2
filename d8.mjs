export const a=8
