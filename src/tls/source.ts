/** A serving certificate with its key, as PEM text, and what the server has to know of it. */
export type KeyPair = {
  /** The serving certificate first, then the chain that leads to its CA, if there is one. */
  readonly certificate: string;
  readonly key: string;
  /** The end of the serving certificate's validity. */
  readonly notAfter: Date;
};

/** Where a server takes its certificate from while it runs. A source always has a pair that fits together. */
export interface CertificateSource {
  current(): KeyPair;
  /** Calls `listener` with each new pair, never for one that does not fit together. Returns what ends the calls. */
  onChange(listener: (pair: KeyPair) => void): () => void;
  /** Stops looking for changes. `current()` still answers. */
  close(): void;
}
