export { ERRORS, HoldfastError, isHoldfastError, type ErrorDetails, type ErrorEntry, type ErrorName } from './errors.js';
