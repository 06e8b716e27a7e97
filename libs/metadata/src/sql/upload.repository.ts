import {
  LIMITS,
  type CallContext,
  type ChecksumType,
  type MetadataMethods,
  type ObjectAttributes,
  type PartInfo,
  type UploadChecksum,
} from '@holdfast/contracts';
import { unpackChunks } from '../domain/chunk-merge.js';
import { judgeMargin } from '../domain/margin.js';
import { conditionLists } from '../domain/write-conditions.js';
import { plainArray, textArray } from './array-literal.js';
import type { ClusterMapRepository } from './cluster-map.repository.js';
import { isOutOfTime, type MetadataDatabase } from './database.js';
import { tagsText } from './record-rows.js';

type Input<K extends keyof MetadataMethods> = Parameters<MetadataMethods[K]>[1];
type Output<K extends keyof MetadataMethods> = Awaited<ReturnType<MetadataMethods[K]>>;

/** A map that moves on faster than commits can follow. */
const EPOCH_ATTEMPTS_MAX = 5;

export interface UploadOptions {
  readonly graceMs: number;
  readonly freeDelayMs: number;
  readonly onOwed: () => void;
}

const bytea = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** Open uploads and their parts. What the locks promise stands in schema/upload-functions. */
export class UploadRepository {
  constructor(
    private readonly database: MetadataDatabase,
    private readonly maps: ClusterMapRepository,
    private readonly options: UploadOptions,
  ) {}

  async create(call: CallContext, input: Input<'createUpload'>): Promise<Output<'createUpload'>> {
    const leftMs = call.deadline.leftMs();
    const [[outcome]] = await this.database.timed('writes', leftMs, {
      name: 'create_upload',
      text: 'SELECT metadata.create_upload($1, $2, $3, $4, $5, $6, $7, $8, $9)',
      values: [
        input.bucketId,
        input.key,
        bytea(input.uploadId),
        JSON.stringify(input.attributes),
        tagsText(input.tags),
        input.checksum === undefined ? null : JSON.stringify(input.checksum),
        input.accountId,
        input.initiatorArn,
        leftMs,
      ],
    });
    return { outcome: outcome as 'created' | 'no-bucket' };
  }

  async find(input: Input<'findUpload'>): Promise<Output<'findUpload'>> {
    const [row] = await this.database.read('reads', {
      name: 'find_upload',
      text:
        'SELECT u.attributes, u.checksum, u.account_id, u.initiator_arn, u.created_at_ms FROM metadata.upload u ' +
        'WHERE u.bucket_id = $1 AND u.key = $2 AND u.upload_id = $3',
      values: [input.bucketId, input.key, bytea(input.uploadId)],
    });
    if (row === undefined) return {};
    const [attributes, checksum, accountId, initiatorArn, createdAtMs] = row;
    return {
      upload: {
        attributes: attributes as ObjectAttributes,
        ...(checksum === null ? {} : { checksum: checksum as UploadChecksum }),
        accountId: accountId as string,
        initiatorArn: initiatorArn as string,
        createdAtMs: Number(createdAtMs),
      },
    };
  }

  async commitPart(call: CallContext, input: Input<'commitPart'>): Promise<Output<'commitPart'>> {
    const receivedAtMs = performance.now();
    let { epoch, degraded } = input.written;
    for (let attempt = 1; attempt <= EPOCH_ATTEMPTS_MAX; attempt++) {
      const ageMs = input.attemptAgeMs + performance.now() - receivedAtMs;
      const leftMs = Math.min(call.deadline.leftMs(), this.options.graceMs / 2 - ageMs);
      if (leftMs <= 0) return { outcome: 'late', lastModifiedMs: Date.now() };
      const judged = await this.sendPart(call, input, { epoch, degraded, leftMs });
      if (judged.outcome !== 'stale-epoch') return judged as Output<'commitPart'>;
      const today = await this.maps.current();
      const written = await this.maps.ofEpoch(input.written.epoch);
      if (written === undefined) break;
      const margin = judgeMargin(unpackChunks(input.written.chunks), written, today);
      if (margin === 'lost') break;
      epoch = today.epoch;
      degraded = input.written.degraded || margin === 'degraded';
    }
    return { outcome: 'margin-lost', lastModifiedMs: Date.now() };
  }

  private async sendPart(
    call: CallContext,
    input: Input<'commitPart'>,
    judged: { epoch: bigint; degraded: boolean; leftMs: number },
  ): Promise<{ outcome: string; lastModifiedMs: number }> {
    const { written } = input;
    try {
      const [[outcome, lastModifiedMs, owes]] = await this.database.timed('writes', judged.leftMs, {
        name: 'commit_part',
        text:
          'SELECT outcome, last_modified_ms, owes FROM metadata.commit_part(' +
          '$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)',
        values: [
          input.bucketId,
          input.key,
          bytea(input.uploadId),
          input.partNumber,
          bytea(written.writeId),
          written.sizeBytes,
          input.etag,
          JSON.stringify(input.checksums),
          written.chunks,
          judged.epoch,
          judged.degraded,
          judged.leftMs,
          call.requestId,
          this.options.freeDelayMs,
        ],
      });
      if (owes === true) this.options.onOwed();
      return { outcome: outcome as string, lastModifiedMs: Number(lastModifiedMs) };
    } catch (error) {
      if (isOutOfTime(error)) return { outcome: 'late', lastModifiedMs: Date.now() };
      throw error;
    }
  }

  async listParts(input: Input<'listParts'>): Promise<Output<'listParts'>> {
    const rows = await this.database.read('reads', {
      name: 'list_parts',
      text: `SELECT p.part_number, p.size_bytes, p.etag, p.last_modified_ms, p.checksums
        FROM metadata.upload u LEFT JOIN LATERAL (
          SELECT * FROM metadata.part q WHERE q.bucket_id = u.bucket_id AND q.owner_id = u.upload_id AND q.ordinal > $4
          ORDER BY q.ordinal LIMIT $5) p ON true
        WHERE u.bucket_id = $1 AND u.key = $2 AND u.upload_id = $3`,
      values: [input.bucketId, input.key, bytea(input.uploadId), input.afterPart, input.limit + 1],
    });
    const parts = rows
      .filter((row) => row[0] !== null)
      .map(([partNumber, sizeBytes, etag, lastModifiedMs, checksums]): PartInfo => ({
        partNumber: partNumber as number,
        sizeBytes: Number(sizeBytes),
        etag: etag as string,
        lastModifiedMs: Number(lastModifiedMs),
        checksums: checksums as Record<string, string>,
      }));
    // A page of no parts says nothing about what follows.
    const truncated = input.limit > 0 && parts.length > input.limit;
    return { found: rows.length > 0, parts: parts.slice(0, input.limit), truncated };
  }

  /** Errors: ServiceUnavailable when the outcome is open; asking again gives the same answer for 24 h. */
  async complete(call: CallContext, input: Input<'completeUpload'>): Promise<Output<'completeUpload'>> {
    const conditions = conditionLists(input.conditions);
    const leftMs = call.deadline.leftMs();
    try {
      const [row] = await this.database.timed('writes', leftMs, {
        name: 'complete_upload',
        text:
          'SELECT outcome, etag, version_id, is_null, last_modified_ms, checksums, checksum_type, owes ' +
          'FROM metadata.complete_upload($1, $2, $3, $4, $5, $6::int[], $7::text[], $8::text[], $9, $10, $11, $12, ' +
          '$13, $14, $15, $16, $17)',
        values: [
          input.bucketId,
          input.bucketRevision,
          input.key,
          bytea(input.uploadId),
          bytea(input.versionId),
          plainArray(input.parts, (part) => part.partNumber),
          textArray(input.parts, (part) => part.etag),
          textArray(input.parts, (part) => part.checksum),
          JSON.stringify(input.checksums),
          input.checksumType ?? null,
          input.sizeBytes ?? null,
          conditions.ifMatch,
          conditions.ifNoneMatch,
          leftMs,
          call.requestId,
          this.options.freeDelayMs,
          LIMITS.partBytesMin,
        ],
      });
      const [outcome, etag, versionId, isNull, lastModifiedMs, checksums, checksumType, owes] = row;
      if (owes === true) this.options.onOwed();
      if (outcome !== 'completed') return { outcome: outcome as Output<'completeUpload'>['outcome'] };
      return {
        outcome,
        etag: etag as string,
        versionId: (versionId as Buffer).toString('hex'),
        isNull: isNull as boolean,
        lastModifiedMs: Number(lastModifiedMs),
        checksums: checksums as Record<string, string>,
        ...(checksumType === null ? {} : { checksumType: checksumType as ChecksumType }),
      };
    } catch (error) {
      if (isOutOfTime(error)) return { outcome: 'late' };
      throw error;
    }
  }

  async abort(call: CallContext, input: Input<'abortUpload'>): Promise<Output<'abortUpload'>> {
    const leftMs = call.deadline.leftMs();
    const [[outcome]] = await this.database.timed('writes', leftMs, {
      name: 'abort_upload',
      text: 'SELECT metadata.abort_upload($1, $2, $3, $4, $5, $6)',
      values: [input.bucketId, input.key, bytea(input.uploadId), leftMs, call.requestId, this.options.freeDelayMs],
    });
    return { outcome: outcome as 'aborted' | 'no-upload' };
  }

  async readParts(input: Input<'readParts'>): Promise<Output<'readParts'>> {
    const rows = await this.database.read('reads', {
      name: 'read_parts',
      text:
        'SELECT p.size_bytes, p.chunks FROM metadata.part p ' +
        'WHERE p.bucket_id = $1 AND p.owner_id = $2 AND p.ordinal BETWEEN $3 AND $4 ORDER BY p.ordinal',
      values: [input.bucketId, bytea(input.versionId), input.firstPart, input.lastPart],
    });
    return { parts: rows.map(([sizeBytes, chunks]) => ({ sizeBytes: Number(sizeBytes), chunks: chunks as Buffer })) };
  }
}
