export { compilePolicy, parsePolicy, type CompiledPolicy } from './compiled-policy.js';
export { JudgingWork } from './judging-work.js';
export { judgeAccess, judgePrincipal, type Authority, type ResourceAuthority, type Verdict } from './judge.js';
export type { PolicyDocument, PolicyKind, PolicyStatement } from './policy-document.js';
export type { PolicyError, PolicyFault } from './policy-error.js';
export { isPublicPolicy } from './public-policy.js';
export { checkBucketPolicy } from './bucket-policy.js';
