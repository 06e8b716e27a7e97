// The framing of aws-chunked once more, over a whole buffer and in the plainest words: what the decoder is held against.
import { createHash, createHmac } from 'node:crypto';

const emptySha256 = createHash('sha256').digest('hex');

/** Longer lines are refused: nobody's memory is for them. */
const chunkLineMax = 256;
const trailerLineMax = 4096;

class Refused extends Error {}

/**
 * The bytes, or undefined for a body that has to be refused. `flaw` leaves one of the checks out: for decoders that are wrong
 * on purpose.
 */
export function referenceDecode(body, options, flaw) {
  try {
    return decode(body, options, flaw);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

function decode(body, { decodedLengthBytes, trailer, trailerNames, signing }, flaw) {
  let at = 0;
  let previous = signing?.seedSignature;
  const line = (charactersMax = chunkLineMax) => {
    const end = body.indexOf('\n', at, 'latin1');
    if (end < 0) throw new Refused('no line');
    const text = body.toString('latin1', at, end);
    at = end + 1;
    if (text.length > charactersMax) throw new Refused('a long line');
    return text;
  };
  const check = (kind, covered, signature) => {
    if (signing === undefined || flaw === 'signatures') return;
    const scope = `${signing.scope.date}/${signing.scope.region}/${signing.scope.service}/aws4_request`;
    const text = `${kind}\n${signing.timestamp}\n${scope}\n${previous}\n${covered}`;
    if (createHmac('sha256', signing.signingKey).update(text).digest('hex') !== signature)
      throw new Refused('signature');
    previous = signature;
  };
  const pieces = [];
  for (;;) {
    const head =
      signing === undefined ? /^([0-9A-Fa-f]{1,12})\r$/ : /^([0-9A-Fa-f]{1,12});chunk-signature=([0-9a-f]{64})\r$/;
    const found = head.exec(line());
    if (found === null) throw new Refused('chunk line');
    const size = Number.parseInt(found[1], 16);
    if (at + size > body.length) throw new Refused('too short');
    const piece = body.subarray(at, at + size);
    at += size;
    check('AWS4-HMAC-SHA256-PAYLOAD', `${emptySha256}\n${createHash('sha256').update(piece).digest('hex')}`, found[2]);
    if (size === 0) break;
    pieces.push(piece);
    if (line() !== '\r' && flaw !== 'line ends') throw new Refused('end of a chunk');
  }
  const decoded = Buffer.concat(pieces);
  if (decoded.length !== decodedLengthBytes && flaw !== 'length') throw new Refused('length');
  if (trailer) readTrailers();
  else if (line() !== '\r') throw new Refused('end');
  while (at < body.length) if (line() !== '\r') throw new Refused('bytes behind the end');
  return decoded;

  function readTrailers() {
    const seen = new Map();
    let covered = '';
    let signature;
    for (let lines = 0; ; lines += 1) {
      if (lines > 16) throw new Refused('trailers');
      const text = line(trailerLineMax);
      if (text === '\r' || text === '') {
        if (signing !== undefined && signature === undefined && lines > 0 && at < body.length) continue;
        break;
      }
      const found = /^([A-Za-z0-9-]+):[ \t]*([\x21-\x7e]*(?: [\x21-\x7e]+)*)[ \t]*\r?$/.exec(text);
      if (found === null || signature !== undefined) throw new Refused('trailer');
      const name = found[1].toLowerCase();
      if (signing !== undefined && name === 'x-amz-trailer-signature') {
        signature = found[2];
        continue;
      }
      if (!trailerNames.includes(name) || seen.has(name)) throw new Refused('trailer');
      seen.set(name, found[2]);
      covered += `${name}:${found[2]}\n`;
    }
    check('AWS4-HMAC-SHA256-TRAILER', createHash('sha256').update(covered).digest('hex'), signature);
    if (signing !== undefined && signature === undefined) throw new Refused('trailer signature');
    if (seen.size !== trailerNames.length) throw new Refused('trailer');
  }
}
