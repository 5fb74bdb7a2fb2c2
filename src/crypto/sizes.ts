/** Every key of X25519, Ed25519 and XSalsa20-Poly1305, every shared secret and every key derived here but message keys. */
export const KEY_BYTES = 32
/** Of a box, XSalsa20-Poly1305. */
export const NONCE_BYTES = 24
/** What a box is longer than its message: the Poly1305 tag. */
export const BOX_OVERHEAD = 16
/** Ed25519 (RFC 8032). */
export const SIGNATURE_BYTES = 64
/** ML-KEM-768 (FIPS 203). */
export const KEM_SEED_BYTES = 64
export const ENCAPSULATION_KEY_BYTES = 1184
export const KEM_CIPHERTEXT_BYTES = 1088
