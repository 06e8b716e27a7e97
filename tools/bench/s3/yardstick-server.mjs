// The yardstick: a bare node:http server that stores each body to a file, flushes it and only then answers 200.
// `node yardstick-server.mjs DIR` prints its port, and ends when its standard input ends.
// What stands before the last slash of a path names the file: a file per worker of the client, written anew in place by
// each PUT (no file is made, grown or removed after the first one of a worker). No signature, digest or checksum is
// looked at and nothing is kept twice: it is the least that can be called a stored object.
import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fdatasync, read, write } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const directory = process.argv[2];
const pieceBytes = 1024 * 1024;
const writesMax = 8;
const files = new Map();

mkdirSync(directory, { recursive: true });

/** The file of a path: { fd, sizeBytes }, opened once. */
function fileOf(url) {
  const name = `body${url.slice(0, url.lastIndexOf('/')).replaceAll('/', '_')}`;
  let file = files.get(name);
  if (file === undefined) {
    file = open(join(directory, name), 'w+').then((handle) => ({ handle, fd: handle.fd, sizeBytes: 0 }));
    files.set(name, file);
  }
  return file;
}

function fail(response, error) {
  response.statusCode = 500;
  response.end(String(error));
}

function put(request, response, file) {
  let at = 0;
  let pending = 0;
  let ended = false;
  let failed;
  const finish = () => {
    if (!ended || pending > 0) return;
    if (failed) return void fail(response, failed);
    fdatasync(file.fd, (error) => {
      if (error) return void fail(response, error);
      file.sizeBytes = at;
      response.setHeader('content-length', 0);
      response.end();
    });
  };
  const written = (error) => {
    failed ??= error ?? undefined;
    pending -= 1;
    if (request.isPaused()) request.resume();
    finish();
  };
  request.on('data', (chunk) => {
    pending += 1;
    write(file.fd, chunk, 0, chunk.length, at, written);
    at += chunk.length;
    if (pending >= writesMax) request.pause();
  });
  request.on('end', () => {
    ended = true;
    finish();
  });
}

function get(response, file) {
  const { fd, sizeBytes } = file;
  response.setHeader('content-length', sizeBytes);
  const send = (at) => {
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, sizeBytes - at));
    read(fd, piece, 0, piece.length, at, (error) => {
      if (error) return void response.destroy(error);
      const next = at + piece.length;
      if (next >= sizeBytes) return void response.end(piece);
      if (response.write(piece)) send(next);
      else response.once('drain', () => send(next));
    });
  };
  if (sizeBytes === 0) response.end();
  else send(0);
}

const server = createServer((request, response) => {
  fileOf(request.url).then(
    (file) => (request.method === 'PUT' ? put(request, response, file) : get(response, file)),
    (error) => fail(response, error),
  );
});
server.keepAliveTimeout = 600_000;
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
process.stdin.resume().on('end', () => process.exit(0));
