import { LIMITS } from '@holdfast/contracts';
import type { Exchange } from '../pipeline/exchange.js';
import type { ListPosition } from './list-position.codec.js';
import { countArgument, encodingTypeArgument, textArgument } from './request-arguments.js';

/** What every listing of a bucket reads. */
export interface ListPage {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly urlEncoded: boolean;
}

/** Errors: InvalidArgument. */
export function decodePage({ request }: Exchange): ListPage {
  const { query } = request.target;
  return {
    prefix: textArgument(query, 'prefix', LIMITS.keyBytesMax),
    delimiter: textArgument(query, 'delimiter', LIMITS.keyBytesMax),
    maxKeys: countArgument(query, 'max-keys', LIMITS.listPageMax),
    urlEncoded: encodingTypeArgument(query),
  };
}

/** A marker that is a common prefix of this very listing stands for all that it stands for: the page before gave it. */
export function markerPosition(
  marker: string,
  { prefix, delimiter }: Pick<ListPage, 'prefix' | 'delimiter'>,
): ListPosition {
  const afterKey: ListPosition = { kind: 'key', afterKey: marker };
  if (delimiter === '' || !marker.startsWith(prefix)) return afterKey;
  const at = marker.indexOf(delimiter, prefix.length);
  return at >= 0 && at + delimiter.length === marker.length ? { kind: 'prefix', afterPrefix: marker } : afterKey;
}
