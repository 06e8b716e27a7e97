import type { TraceLog } from '@holdfast/contracts';
import { answerJson, type InternalHttpServer } from './internal-http-server.js';

/** Offers the steps that this process remembers of a request: `GET /trace/REQUEST_ID` answers `{events: TraceEvent[]}`. */
export function serveTrace(server: InternalHttpServer, trace: TraceLog): void {
  server.route('GET', /^\/trace\/([0-9A-F]{16})$/, async (_request, response, _call, match) => {
    answerJson(response, 200, { events: trace.find(match[1]) });
  });
}
