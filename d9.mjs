export const a=9
