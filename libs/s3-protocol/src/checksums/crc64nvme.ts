/**
 * CRC-64/NVME (reflected polynomial 0x9A6C9329AC4BC9B5, all ones before and after), eight bytes a step.
 * A value is two 32-bit halves, because BigInt in the loop costs two orders of magnitude.
 */
const POLYNOMIAL_HIGH = 0x9a6c9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;

/** Table t of byte b is at t * 256 + b. */
const HIGH = new Int32Array(8 * 256);
const LOW = new Int32Array(8 * 256);

function fillTables(): void {
  for (let byte = 0; byte < 256; byte++) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit++) {
      const carry = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (carry !== 0) {
        high ^= POLYNOMIAL_HIGH;
        low ^= POLYNOMIAL_LOW;
      }
    }
    HIGH[byte] = high;
    LOW[byte] = low;
  }
  for (let index = 256; index < 8 * 256; index++) {
    const high = HIGH[index - 256];
    const low = LOW[index - 256];
    HIGH[index] = (high >>> 8) ^ HIGH[low & 0xff];
    LOW[index] = ((low >>> 8) | (high << 24)) ^ LOW[low & 0xff];
  }
}
fillTables();

export class Crc64Nvme {
  private high = -1;
  private low = -1;

  update(bytes: Uint8Array): void {
    let high = this.high;
    let low = this.low;
    let at = 0;
    const whole = bytes.length - (bytes.length & 7);
    for (; at < whole; at += 8) {
      low ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
      high ^= bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24);
      const i0 = 0x700 | (low & 0xff);
      const i1 = 0x600 | ((low >>> 8) & 0xff);
      const i2 = 0x500 | ((low >>> 16) & 0xff);
      const i3 = 0x400 | (low >>> 24);
      const i4 = 0x300 | (high & 0xff);
      const i5 = 0x200 | ((high >>> 8) & 0xff);
      const i6 = 0x100 | ((high >>> 16) & 0xff);
      const i7 = high >>> 24;
      low = LOW[i0] ^ LOW[i1] ^ LOW[i2] ^ LOW[i3] ^ LOW[i4] ^ LOW[i5] ^ LOW[i6] ^ LOW[i7];
      high = HIGH[i0] ^ HIGH[i1] ^ HIGH[i2] ^ HIGH[i3] ^ HIGH[i4] ^ HIGH[i5] ^ HIGH[i6] ^ HIGH[i7];
    }
    for (; at < bytes.length; at++) {
      const index = (low ^ bytes[at]) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ LOW[index];
      high = (high >>> 8) ^ HIGH[index];
    }
    this.high = high;
    this.low = low;
  }

  /** Eight bytes, big-endian. */
  digest(): Buffer {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeUInt32BE(~this.high >>> 0, 0);
    bytes.writeUInt32BE(~this.low >>> 0, 4);
    return bytes;
  }
}
