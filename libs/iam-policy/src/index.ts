export { compilePolicy, evaluate, type CompiledPolicy, type DecidingStatement, type Evaluation } from './evaluate.js';
export { parsePolicy, POLICY_BYTES_MAX, type PolicyDocument, type PolicyStatement } from './policy-document.js';
export { PolicyError, type PolicyFault } from './policy-error.js';
