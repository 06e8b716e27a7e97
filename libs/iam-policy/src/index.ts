export { compilePolicy, evaluate, type CompiledPolicy, type DecidingStatement, type Evaluation } from './evaluate.js';
export { parsePolicy, type PolicyDocument, type PolicyStatement } from './policy-document.js';
export type { PolicyError, PolicyFault } from './policy-error.js';
