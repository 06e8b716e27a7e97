import type { Reply } from '../pipeline/reply.js';

const LIVE = new Set(['/_holdfast/health/live', '/minio/health/live']);
const READY = new Set(['/_holdfast/health/ready', '/minio/health/ready', '/minio/health/cluster']);

/** Answers the health paths of the S3 port; undefined for everything else, which is S3. */
export function healthReply(method: string, url: string, isReady: () => Promise<boolean>): Promise<Reply> | undefined {
  // The second character tells almost every S3 request apart without a look at the rest.
  if (url.charCodeAt(1) !== 95 /* _ */ && !url.startsWith('/minio/')) return undefined;
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const isLive = LIVE.has(path);
  if (!isLive && !READY.has(path)) return undefined;
  return answer(method, isLive ? async () => true : isReady);
}

async function answer(method: string, check: () => Promise<boolean>): Promise<Reply> {
  const headers = ['Content-Type', 'text/plain', 'Cache-Control', 'no-store'];
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, headers: [...headers, 'Allow', 'GET, HEAD'], body: '' };
  const ok = await check().catch(() => false);
  return { status: ok ? 200 : 503, headers, body: ok ? 'ok\n' : 'not ready\n' };
}
