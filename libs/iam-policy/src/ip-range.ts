import { isIPv4, isIPv6 } from 'node:net';

/** An address as a number of `bits` bits. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface IpRange extends Address {
  readonly prefixLength: number;
}

/** `203.0.113.0/24`, `2001:db8::/32`, or one address. Bits behind the prefix are ignored, as in AWS. @returns undefined for anything else */
export function parseIpRange(text: string): IpRange | undefined {
  const [base, length, ...rest] = text.split('/');
  const address = parseAddress(base);
  if (address === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { ...address, prefixLength: address.bits };
  if (!/^\d{1,3}$/.test(length) || Number(length) > address.bits) return undefined;
  return { ...address, prefixLength: Number(length) };
}

export function isInRange(range: IpRange, text: string): boolean {
  const address = parseAddress(text);
  if (address?.bits !== range.bits) return false;
  const shift = BigInt(range.bits - range.prefixLength);
  return address.value >> shift === range.value >> shift;
}

/** IPv4 inside of IPv6 (`::ffff:1.2.3.4`), as sockets that take both show it, is IPv4. */
function parseAddress(text: string): Address | undefined {
  const embedded = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1] ?? text;
  if (isIPv4(embedded)) return { bits: 32, value: fromIPv4(embedded) };
  return isIPv6(text) && !text.includes('%') ? { bits: 128, value: fromIPv6(text) } : undefined;
}

function fromIPv4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function fromIPv6(text: string): bigint {
  const [left, right] = text.split('::');
  const head = groupsOf(left);
  if (right === undefined) return joined(head);
  const tail = groupsOf(right);
  return joined([...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0n), ...tail]);
}

/** 16 bits each; an IPv4 at the end makes two. */
function groupsOf(text: string): bigint[] {
  return text
    .split(':')
    .filter((group) => group !== '')
    .flatMap((group) => {
      if (!group.includes('.')) return [BigInt(`0x${group}`)];
      const value = fromIPv4(group);
      return [value >> 16n, value & 0xffffn];
    });
}

function joined(groups: readonly bigint[]): bigint {
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}
