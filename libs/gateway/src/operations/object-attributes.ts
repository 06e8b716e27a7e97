/** The standard headers of a request without the ones that were not sent. */
export function definedOnly(standard: Readonly<Partial<Record<string, string>>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(standard)) {
    const value = standard[name];
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}
