import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readUploadForm, type UploadForm } from './upload-form.js';

const TYPE = 'multipart/form-data; boundary=AaB';
const code = (name: string) => expect.objectContaining({ code: name });

async function* pieces(body: Buffer, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += sizeBytes) yield body.subarray(at, at + sizeBytes);
}

async function open(body: Buffer | string, pieceBytes = 64 * 1024, type = TYPE): Promise<UploadForm> {
  const bytes = Buffer.from(body);
  return readUploadForm(pieces(bytes, pieceBytes), type, bytes.length);
}

async function fileOf(form: UploadForm): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const piece of form.file()) read.push(piece);
  return Buffer.concat(read);
}

async function whole(body: Buffer | string, pieceBytes?: number, type?: string) {
  const form = await open(body, pieceBytes, type);
  const fields = Object.fromEntries([...form.fields].map(([name, field]) => [name, field.value]));
  return { fields, file: (await fileOf(form)).toString('latin1'), fileBytesMax: form.fileBytesMax };
}

const part = (disposition: string, content: string, more = ''): string =>
  `--AaB\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n${content}\r\n`;
const field = (name: string, value: string): string => part(`name="${name}"`, value);
const file = (content: string, name = 'f.txt'): string =>
  part(`name="file"; filename="${name}"`, content, 'Content-Type: text/plain\r\n');
const END = '--AaB--\r\n';

describe('a form upload', () => {
  it('has its fields by name without case, and its file', async () => {
    const body = field('Key', 'a') + field('x-amz-meta-B', 'c\r\nd') + field('empty', '') + file('the\r\nfile') + END;
    expect(await whole(body)).toEqual({
      fields: { key: 'a', 'x-amz-meta-b': 'c\r\nd', empty: '' },
      file: 'the\r\nfile',
      fileBytesMax: 9 + 2 + END.length,
    });
  });

  it('is the same however it is cut into pieces', async () => {
    const content = 'x\r\n--Aa\r\n--Aab\r\n-\r--AaB\n--AaB-- \r\n\r\n--\0\xff';
    const body = Buffer.from(`\r\n${field('key', 'k${filename}')}${file(content)}${END}`, 'latin1');
    for (let pieceBytes = 1; pieceBytes <= 40; pieceBytes += 1) {
      const read = await whole(body, pieceBytes);
      expect(read.fields).toEqual({ key: 'kf.txt' });
      expect(read.file).toBe(content);
    }
  });

  it('a field with a filename is a field, and the one called file is the file whatever its head says', async () => {
    const body = part('name="key"; filename="key"', 'k') + part('name="File"', 'text') + END;
    expect(await whole(body)).toMatchObject({ fields: { key: 'k' }, file: 'text' });
  });

  it.each([
    ['C:\\new folder\\a.txt', 'a.txt'],
    ['/home/me/a.txt', 'a.txt'],
    ['a"b.txt', 'a"b.txt', 'a\\"b.txt'],
    ['$&.txt', '$&.txt'],
    ['grün.txt', 'grün.txt'],
    ['', ''],
  ])('${filename} is the name of the file %s', async (_path, name, sent = _path) => {
    const body = field('key', 'u/${filename}/${filename}') + field('policy', '${filename}') + file('', sent) + END;
    expect((await whole(body)).fields).toEqual({ key: `u/${name}/${name}`, policy: '${filename}' });
  });

  it('a file field without a filename has an empty one', async () => {
    expect((await whole(field('key', '${filename}') + part('name=file', 'x') + END)).fields).toEqual({ key: '' });
  });

  it('what follows the file does not count', async () => {
    const late = field('key', 'late') + file('second');
    expect(await whole(field('key', 'k') + file('first') + late + END)).toMatchObject({
      fields: { key: 'k' },
      file: 'first',
    });
    expect((await whole(field('key', 'k') + file('first') + END + 'epilogue\r\n--AaB\r\n')).file).toBe('first');
    await expect(whole(file('first') + END + 'x'.repeat(70_000))).rejects.toThrow(code('MalformedPOSTRequest'));
  });

  it('other headers, other orders and spellings of browsers are understood', async () => {
    const body =
      '--AaB\r\ncontent-type: text/plain;charset=UTF-8\r\nCONTENT-DISPOSITION:form-data;name=key\r\n\r\nk\r\n' +
      '--AaB \t\r\nContent-Disposition: form-data; filename*=UTF-8\'\'x.txt; filename="y.txt"; name="file"\r\n\r\nz\r\n--AaB--';
    expect(await whole(body)).toMatchObject({ fields: { key: 'k' }, file: 'z' });
  });

  it.each([
    ['multipart/form-data; boundary="a b"', '--a b'],
    [
      'Multipart/Form-Data;charset=utf-8; Boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW',
      '------WebKitFormBoundary7MA4YWxkTrZu0gW',
    ],
  ])('the boundary of %s', async (type, line) => {
    const body = `${line}\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n${line}--\r\n`;
    expect((await whole(body, undefined, type)).file).toBe('x');
  });

  it.each([
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary=a; boundary=b',
    `multipart/form-data; boundary=${'a'.repeat(71)}`,
    'multipart/form-data; boundary=a"b',
    'multipart/form-data; boundary="a\u00e9"',
    'multipart/form-data; boundary=" "',
  ])('a boundary that is none is refused: %s', async (type) => {
    await expect(open(file('x') + END, undefined, type)).rejects.toThrow(code('MalformedPOSTRequest'));
  });

  it.each([
    ['nothing', ''],
    ['a preamble', `hello\r\n${file('x')}${END}`],
    ['another boundary', file('x').replace('AaB', 'AaC') + END],
    ['text behind a boundary', file('x').replace('--AaB\r\n', '--AaBx\r\n') + END],
    ['a bare line feed behind a boundary', file('x').replace('--AaB\r\n', '--AaB\n') + END],
    ['too much padding', file('x').replace('--AaB\r\n', `--AaB${' '.repeat(70)}\r\n`) + END],
    ['a part without a head', `--AaB\r\n\r\nx\r\n${END}`],
    ['a part without a name', part('filename="a"', 'x') + END],
    ['an empty name', field('', 'x') + file('x') + END],
    ['another disposition', file('x').replace('form-data', 'attachment') + END],
    ['two dispositions', part('name="a"', 'x', 'Content-Disposition: form-data; name="b"\r\n') + file('x') + END],
    ['two names', part('name="key"; name="file"', 'x') + file('x') + END],
    ['an unclosed quote', part('name="key', 'x') + file('x') + END],
    ['a folded header', part('name="key";\r\n filename="x"', 'x') + file('x') + END],
    ['a bare line feed in a head', part('name="key"', 'x', 'X-A: b\nX-B: c\r\n') + file('x') + END],
    ['a NUL in a head', part('name="key\0"', 'x') + file('x') + END],
    ['text that is no UTF-8', Buffer.from(field('key', '\xff') + file('x') + END, 'latin1')],
    ['no end of a field', field('key', 'k').slice(0, -2)],
  ])('%s: 400 MalformedPOSTRequest', async (_name, body) => {
    await expect(open(body)).rejects.toThrow(code('MalformedPOSTRequest'));
  });

  it.each([
    ['no boundary behind it', file('content').trimEnd()],
    ['half a boundary', `${file('content')}--Aa`],
    ['a boundary without an end', `${file('content')}--AaB`],
    ['a boundary that goes on', `${file('content')}--AaBc--`],
  ])('a file with %s never ends cleanly: 400 MalformedPOSTRequest', async (_name, body) => {
    await expect(whole(body)).rejects.toThrow(code('MalformedPOSTRequest'));
  });

  it('no file, a field given twice, too many fields: 400 InvalidArgument', async () => {
    await expect(open(field('key', 'k') + END)).rejects.toThrow(code('InvalidArgument'));
    await expect(open(field('key', 'k') + field('KEY', 'k') + file('x') + END)).rejects.toThrow(
      code('InvalidArgument'),
    );
    const many = Array.from({ length: 101 }, (_, index) => field(`f${index}`, '')).join('');
    await expect(open(many + file('x') + END)).rejects.toThrow(code('InvalidArgument'));
  });

  it('the fields are bounded, however they come, and the file is not counted', async () => {
    const large = (bytes: number) => field('x-ignore-a', 'x'.repeat(bytes)) + field('key', 'k') + file('x') + END;
    expect((await whole(large(20_000))).fields['key']).toBe('k');
    for (const pieceBytes of [1000, 64 * 1024]) {
      await expect(open(large(20_480), pieceBytes)).rejects.toThrow(code('MaxPostPreDataLengthExceeded'));
      const head = part(`name="file"; filename="${'x'.repeat(21_000)}"`, 'x') + END;
      await expect(open(head, pieceBytes)).rejects.toThrow(code('MaxPostPreDataLengthExceeded'));
    }
    const content = 'y'.repeat(300_000);
    expect((await whole(field('key', 'k') + file(content) + END)).file).toBe(content);
  });

  it('reads no more than it needs: a field without end is given up before the body ends', async () => {
    let sentBytes = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from('--AaB\r\nContent-Disposition: form-data; name="key"\r\n\r\n');
      for (;;) {
        sentBytes += 1024;
        yield Buffer.alloc(1024, 120);
      }
    }
    await expect(readUploadForm(endless(), TYPE, 2 ** 30)).rejects.toThrow(code('MaxPostPreDataLengthExceeded'));
    expect(sentBytes).toBeLessThan(24 * 1024);
  });

  it('a file is handed on while it comes', async () => {
    let sent = 0;
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from(file('').slice(0, -2));
      for (sent = 1; sent <= 50; sent += 1) yield Buffer.alloc(10_000, sent);
      yield Buffer.from(`\r\n${END}`);
    }
    const form = await readUploadForm(source(), TYPE, 600_000);
    let readBytes = 0;
    for await (const piece of form.file()) {
      readBytes += piece.length;
      expect(sent * 10_000 - readBytes).toBeLessThan(20_100);
    }
    expect(readBytes).toBe(500_000);
  });
});

describe('a form upload, by chance', () => {
  const soup = fc.array(
    fc.constantFrom(
      ...[
        '--AaB',
        '\r\n',
        '--',
        'Content-Disposition: form-data; name="',
        'key',
        '"',
        'file',
        '; filename="',
        'x',
        '\0',
      ],
      ...['\r\n\r\n', '\r', '\n', '--AaB--', ' ', ':', '\\', '\xe9'],
    ),
    { maxLength: 40 },
  );

  it('token soup is a form or an error of the table, and never more file than there was body', async () => {
    await fc.assert(
      fc.asyncProperty(soup, fc.integer({ min: 1, max: 30 }), async (tokens, pieceBytes) => {
        const body = Buffer.from(`--AaB\r\n${tokens.join('')}`, 'latin1');
        try {
          const form = await open(body, pieceBytes);
          expect((await fileOf(form)).length).toBeLessThanOrEqual(form.fileBytesMax);
        } catch (error) {
          expect(error).toMatchObject({ name: 'HoldfastError', status: 400 });
        }
      }),
      { numRuns: 500 },
    );
  });

  it('any fields and any bytes come out as they went in', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/).filter((text) => text !== 'file');
    const value = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('--AaB'));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, value, { maxKeys: 6 }),
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 500 }),
        async (fields, bytes, pieceBytes) => {
          const head = Object.entries(fields)
            .map(([key, text]) => field(key, text))
            .join('');
          const body = Buffer.concat([Buffer.from(head + file('').slice(0, -2)), bytes, Buffer.from(`\r\n${END}`)]);
          const form = await open(body, pieceBytes);
          for (const [key, text] of Object.entries(fields)) {
            expect(form.fields.get(key)?.value).toBe(text.split('${filename}').join('f.txt'));
          }
          expect((await fileOf(form)).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
