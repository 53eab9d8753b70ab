import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

/** Loaded at the first expression only: most manifests have none, and it costs 8 ms. */
let engine: typeof RE2JS | undefined;

/**
 * Why a text is no regular expression for a gateway, or undefined when it is one. Gateways run RE2 (Envoy, and with it
 * Istio and most Gateway API implementations) or something that takes more; RE2 is what works everywhere, so look-around
 * and back-references are refused here although nginx knows them.
 */
export function regexError(source: string): string | undefined {
  engine ??= (createRequire(import.meta.url)('re2js') as { RE2JS: typeof RE2JS }).RE2JS;
  try {
    engine.compile(source);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${error.message.replace(/^error parsing regexp: /, '')} (gateways run RE2: no look-around, no back-references)`;
  }
}

/** A regular expression that matches exactly this text. */
export function quoteRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (character) => (/[-/]/.test(character) ? character : `\\${character}`));
}
