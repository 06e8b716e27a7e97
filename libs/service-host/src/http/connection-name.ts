import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';

const origin = randomBytes(6).toString('base64url');
const names = new WeakMap<Socket, string>();
let count = 0;

/**
 * A name for a connection that no other has, on any machine. A client sends the next request of a connection when it knows the
 * answer to the last one: two requests under one name did not overlap.
 */
export function connectionName(socket: Socket): string {
  const known = names.get(socket);
  if (known !== undefined) return known;
  count += 1;
  const name = `${origin}${count.toString(36)}`;
  names.set(socket, name);
  return name;
}
