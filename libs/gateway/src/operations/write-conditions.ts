import { HoldfastError, type WriteConditions } from '@holdfast/contracts';
import { parseWriteConditions, type HeaderList } from '@holdfast/s3-protocol';

const TAGS_MAX = 100;
const TAG_CHARACTERS_MAX = 256;

/** If-Match and If-None-Match of a write, within what the metadata service takes. Errors: InvalidArgument. */
export function writeConditionsOf(headers: HeaderList): WriteConditions {
  const { ifMatch, ifNoneMatch } = parseWriteConditions(headers);
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: bounded(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: bounded(ifNoneMatch) }),
  };
}

function bounded(tags: readonly string[]): string[] {
  if (tags.length > TAGS_MAX || tags.some((tag) => tag.length > TAG_CHARACTERS_MAX)) {
    throw new HoldfastError('InvalidArgument', 'The list of entity tags is too long.');
  }
  return [...tags];
}
