import { HoldfastError, LIMITS } from '@holdfast/contracts';

/*
 * A continuation token, format 1: base64url of u8 format = 1, u8 kind (0: after this key, 1: after all keys that begin with
 * this prefix), then the key or prefix in UTF-8. It is a position and no authority: whoever shows one is authorised as
 * without it, and it stays valid on every API and across restarts.
 */
const FORMAT = 1;
const FRAME_BYTES = 2;
const TOKEN_CHARACTERS_MAX = Math.ceil(((FRAME_BYTES + LIMITS.keyBytesMax) * 4) / 3);

export type ListPosition =
  { readonly kind: 'key'; readonly afterKey: string } | { readonly kind: 'prefix'; readonly afterPrefix: string };

export function encodeListPosition(position: ListPosition): string {
  const isPrefix = position.kind === 'prefix';
  const text = Buffer.from(isPrefix ? position.afterPrefix : position.afterKey, 'utf8');
  return Buffer.concat([Buffer.from([FORMAT, isPrefix ? 1 : 0]), text]).toString('base64url');
}

/** @throws HoldfastError InvalidArgument */
export function decodeListPosition(token: string): ListPosition {
  const refuse = (): never => {
    throw new HoldfastError('InvalidArgument', 'The continuation token provided is incorrect', {
      ArgumentName: 'continuation-token',
    });
  };
  if (token.length > TOKEN_CHARACTERS_MAX || !/^[\w-]+$/.test(token)) refuse();
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length < FRAME_BYTES || bytes.toString('base64url') !== token || bytes[0] !== FORMAT || bytes[1] > 1)
    refuse();
  const text = bytes.toString('utf8', FRAME_BYTES);
  // What does not survive the round trip was no UTF-8, and no key of ours.
  if (text.includes('\0') || !Buffer.from(text, 'utf8').equals(bytes.subarray(FRAME_BYTES))) refuse();
  return bytes[1] === 1 ? { kind: 'prefix', afterPrefix: text } : { kind: 'key', afterKey: text };
}
