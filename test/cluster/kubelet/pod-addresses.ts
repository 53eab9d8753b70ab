import type { NodeAddress } from '../network.ts';

const FIRST = 2;
const LAST = 254;

/** Gives each pod of a node an address; one that was given back is used again as late as possible. */
export class PodAddresses {
  readonly #node: NodeAddress;
  readonly #used = new Set<number>();
  #last = FIRST - 1;

  constructor(node: NodeAddress) {
    this.#node = node;
  }

  /** @throws when the node is full */
  take(): string {
    for (let tries = FIRST; tries <= LAST; tries += 1) {
      this.#last = this.#last >= LAST ? FIRST : this.#last + 1;
      if (this.#used.has(this.#last)) continue;
      this.#used.add(this.#last);
      return `${this.#node.podPrefix}.${this.#last}`;
    }
    throw new Error(`${this.#node.name} has no address left`);
  }

  giveBack(address: string): void {
    this.#used.delete(Number(address.split('.').at(-1)));
  }
}
