/** Headers that end at this hop (RFC 9110, 7.6.1), with those that this hop sets itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'x-forwarded-for',
]);

/** Header list as it came (name, value, name, value …) without what ends here. Internal names never cross the edge. */
export function forwardedHeaders(rawHeaders: readonly string[]): string[] {
  const named = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // What the sender lists in Connection ends here too.
    if (rawHeaders[i].toLowerCase() === 'connection')
      for (const name of rawHeaders[i + 1].split(',')) named.add(name.trim().toLowerCase());
  }
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    if (HOP_BY_HOP.has(name) || name.startsWith('x-holdfast-')) continue;
    // A signed or framing header must not be dropped by naming it in Connection.
    if (
      named.has(name) &&
      !name.startsWith('x-amz-') &&
      name !== 'host' &&
      name !== 'authorization' &&
      !name.startsWith('content-')
    )
      continue;
    kept.push(rawHeaders[i], rawHeaders[i + 1]);
  }
  return kept;
}

/** Does the head announce a body? */
export function hasBody(headers: { 'content-length'?: string; 'transfer-encoding'?: string }): boolean {
  return (
    headers['transfer-encoding'] !== undefined ||
    (headers['content-length'] !== undefined && headers['content-length'] !== '0')
  );
}
