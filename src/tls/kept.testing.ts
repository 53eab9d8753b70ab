import { type CertificateKeeper, type CertificateWrite, keepCertificates } from './keeper.ts';
import { MemorySecrets } from './memory-secrets.testing.ts';
import type { CertificateSettings } from './pace.ts';
import { SERVING_SECRET, type SecretStore } from './secrets.ts';
import { VirtualTime } from './virtual-time.testing.ts';
import type { Issuer } from './written.ts';

/** A cluster where everybody follows at once, and one keeper at a time. */
export class Kept {
  readonly secrets = new MemorySecrets();
  readonly writes: CertificateWrite[] = [];
  readonly problems: Error[] = [];
  readonly time: VirtualTime;
  asked = 0;
  keeper: CertificateKeeper | undefined;

  constructor(start: number) {
    this.time = new VirtualTime(start);
  }

  start(settings: CertificateSettings, issuer: Issuer, secrets: SecretStore = this.secrets): CertificateKeeper {
    this.keeper = keepCertificates({
      settings,
      secrets,
      inUse: () => {
        this.asked++;
        return Promise.resolve({
          bundles: [this.keeper?.trusted() ?? ''],
          served: [this.secrets.data(SERVING_SECRET)['tls.crt'] ?? ''].filter((each) => each !== ''),
        });
      },
      issuer,
      clock: this.time,
      onWrite: (write) => this.writes.push(write),
      onProblem: (problem) => this.problems.push(problem),
    });
    return this.keeper;
  }

  /** The reasons of the writes since the last call. */
  reasons(): string[] {
    return this.writes.splice(0).map(({ reason }) => reason);
  }
}
