import { BlockList, isIP } from 'node:net';

/** One address or range of addresses, as in `10.0.0.0/8` or `fd00::1`. */
const RANGE = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The reverse proxies whose word about a client's address is taken. */
export class TrustedProxies {
  private readonly ranges = new BlockList();
  private readonly empty: boolean;

  /** @throws RangeError for what is no address and no CIDR range */
  constructor(ranges: readonly string[]) {
    this.empty = ranges.length === 0;
    for (const range of ranges) this.add(range);
  }

  /**
   * Where a request came from, as `aws:SourceIp` sees it. The header is a list to which each proxy appends who spoke to it, so
   * it is read from its end, and only as long as each speaker is trusted: what a client wrote in front of it is never believed.
   * @param socketAddress who holds the other end of the connection
   * @param forwardedFor all X-Forwarded-For headers, joined with commas
   */
  clientAddress(socketAddress: string | undefined, forwardedFor: string | undefined): string {
    let address = plainAddress(socketAddress ?? '');
    if (this.empty || forwardedFor === undefined || !this.trusts(address)) return address;
    for (const entry of forwardedFor.split(',').reverse()) {
      const named = plainAddress(entry.trim());
      if (isIP(named) === 0) return address;
      address = named;
      if (!this.trusts(address)) return address;
    }
    return address;
  }

  /** True for an address of the list. */
  trusts(address: string): boolean {
    if (this.empty) return false;
    const family = isIP(address);
    return family !== 0 && this.ranges.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  private add(range: string): void {
    const [, address = '', bits] = RANGE.exec(range) ?? [];
    const family = isIP(address);
    if (family === 0) throw new RangeError(`${range} is no address and no CIDR range`);
    const type = family === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) this.ranges.addAddress(address, type);
    else if (Number(bits) > (family === 6 ? 128 : 32)) throw new RangeError(`${range} has too many bits`);
    else this.ranges.addSubnet(address, Number(bits), type);
  }
}

/** An IPv4 address that arrived on a socket for both families, without its prefix. */
function plainAddress(address: string): string {
  return MAPPED.exec(address)?.[1] ?? address;
}
