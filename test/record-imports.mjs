// Preloaded (`node --import`) into a command: says at its end which files it has loaded, a line for each.
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';

const loaded = new Set();
registerHooks({
  load(url, context, next) {
    loaded.add(url);
    return next(url, context);
  },
});
process.on('exit', () => writeSync(3, [...loaded].join('\n')));
