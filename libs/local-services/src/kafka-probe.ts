/**
 * Asks a broker which requests it serves (ApiVersions, version 0): the smallest exchange that shows a Kafka that works
 * and not only an open port. Request: size u32, api key u16 = 18, version u16 = 0, correlation id u32, client id (length
 * u16, bytes). Answer: size u32, correlation id u32, error code u16, ...
 */
import { connect } from 'node:net';

const API_VERSIONS_KEY = 18;
const CORRELATION_ID = 0x484f_4c44;
const CLIENT_ID = 'holdfast';
const ANSWER_MIN_BYTES = 10;

function requestBytes(): Buffer {
  const body = Buffer.alloc(10 + CLIENT_ID.length);
  body.writeUInt16BE(API_VERSIONS_KEY, 0);
  body.writeUInt16BE(0, 2);
  body.writeUInt32BE(CORRELATION_ID, 4);
  body.writeUInt16BE(CLIENT_ID.length, 8);
  body.write(CLIENT_ID, 10, 'latin1');
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length);
  return Buffer.concat([size, body]);
}

/** Resolves when a Kafka answers at host:port. @throws Error with the reason when it does not within the time */
export function probeKafka(host: string, port: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const timer = setTimeout(() => finish(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.once('connect', () => socket.write(requestBytes()));
    socket.once('error', finish);
    socket.once('close', () => finish(new Error('the connection was closed without an answer')));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < ANSWER_MIN_BYTES) return;
      const isKafka = received.readUInt32BE(4) === CORRELATION_ID;
      finish(isKafka ? undefined : new Error('what listens there does not speak the Kafka protocol'));
    });
  });
}
