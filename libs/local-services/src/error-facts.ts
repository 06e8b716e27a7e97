/** What an unknown error tells. Told by shape, not by class: a system error may come from another realm. */

export function errorCode(error: unknown): string | undefined {
  const has = typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string';
  return has ? String(error.code) : undefined;
}

/** Its message, else its code: refused connections to a name with several addresses have no message. */
export function errorReason(error: unknown): string {
  const has = typeof error === 'object' && error !== null && 'message' in error && error.message !== '';
  return has ? String(error.message) : (errorCode(error) ?? String(error));
}
