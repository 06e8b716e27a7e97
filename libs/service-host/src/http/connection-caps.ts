import type { Socket } from 'node:net';
import { TrustedProxies } from './client-address.js';

export interface ConnectionCapLimits {
  /** Open connections of all clients together. */
  readonly connectionsMax: number;
  /** Open connections of one address. A trusted proxy speaks for many clients and is counted in the whole alone. */
  readonly connectionsPerAddressMax: number;
  readonly trustedProxies?: TrustedProxies;
}

const NO_PROXIES = new TrustedProxies([]);

/** Counts the open connections of a listener, so that one client cannot take the sockets of all others. */
export class ConnectionCaps {
  private open = 0;
  private readonly openByAddress = new Map<string, number>();
  private readonly trusted: TrustedProxies;

  constructor(private readonly limits: ConnectionCapLimits) {
    this.trusted = limits.trustedProxies ?? NO_PROXIES;
  }

  /** Counts a new connection until it closes. False when it is one too many: it is not counted, and not to be served. */
  admit(socket: Socket): boolean {
    // Without an address it is closed already.
    const address = this.trusted.clientAddress(socket.remoteAddress, undefined);
    const ofAddress = this.openByAddress.get(address) ?? 0;
    if (this.open >= this.limits.connectionsMax) return false;
    if (ofAddress >= this.limits.connectionsPerAddressMax && !this.trusted.trusts(address)) return false;
    this.open += 1;
    this.openByAddress.set(address, ofAddress + 1);
    socket.once('close', () => this.release(address));
    return true;
  }

  private release(address: string): void {
    this.open -= 1;
    const left = (this.openByAddress.get(address) ?? 1) - 1;
    if (left === 0) this.openByAddress.delete(address);
    else this.openByAddress.set(address, left);
  }
}
