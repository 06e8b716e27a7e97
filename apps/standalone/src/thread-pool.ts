/**
 * Imported first: the pool of libuv is made with its first use. Flushes of several devices hold threads of it, and with the
 * default four, reads would wait behind them.
 */
process.env['UV_THREADPOOL_SIZE'] ??= '16';
export {};
