import { HoldfastError } from '@holdfast/contracts';

const HOST = /^([a-z0-9._~!$&'()*+,;=%-]*)(?::\d{1,5})?$/;
const IPV6 = /^\[[0-9a-f:.]+\](?::\d{1,5})?$/;

/**
 * The bucket that a Host names: `photos.s3.example.com:9000` names `photos` where `s3.example.com` is a base domain.
 * Undefined for every other host (a base domain itself, an address, a name of elsewhere): there the path names the bucket.
 * Case does not count, nor does the dot that ends a full name. The name is not validated here.
 * @param domains lower-case; the longest that fits counts
 * @throws HoldfastError InvalidRequest (no host with a port at most)
 */
export function bucketOfHost(host: string | undefined, domains: readonly string[]): string | undefined {
  if (domains.length === 0 || host === undefined || host === '') return undefined;
  const lower = host.toLowerCase();
  const name = HOST.exec(lower)?.[1];
  if (name === undefined) {
    if (IPV6.test(lower)) return undefined;
    throw new HoldfastError('InvalidRequest', 'The Host header is malformed.');
  }
  const full = name.endsWith('.') ? name.slice(0, -1) : name;
  let domain: string | undefined;
  for (const candidate of domains) {
    if (full === candidate) return undefined;
    if (full.endsWith(`.${candidate}`) && candidate.length > (domain?.length ?? 0)) domain = candidate;
  }
  return domain === undefined ? undefined : full.slice(0, -domain.length - 1);
}
