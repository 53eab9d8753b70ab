import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type VolumeFiles, writeAtomically } from './atomic-folder.ts';
import type { Bind } from './container-root.ts';
import { NotAvailable } from './downward.ts';
import type { Container, Pod } from './pod-object.ts';
import { filesOf, type VolumeInputs } from './volume-files.ts';

/** The volumes of one pod as folders. */
export class Volumes {
  readonly #folder: string;
  readonly #written = new Map<string, string>();

  /** @param folder the pod's own, for its volumes only */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Makes each volume hold what it should hold now; a volume that did not change is left alone.
   * @throws NotAvailable when something for a volume is missing
   */
  async refresh(inputs: VolumeInputs): Promise<void> {
    for (const volume of inputs.pod.spec.volumes ?? []) {
      const files = await filesOf(volume, inputs);
      if (files === undefined) mkdirSync(join(this.#folder, volume.name), { recursive: true, mode: 0o777 });
      else this.#write(volume.name, files);
    }
  }

  #write(name: string, files: VolumeFiles): void {
    const state = JSON.stringify(
      [...files].map(([path, { content, mode }]) => [path, mode, content.toString('base64')]),
    );
    if (this.#written.get(name) === state) return;
    writeAtomically(join(this.#folder, name), files);
    this.#written.set(name, state);
  }

  /** What is mounted where in a container. */
  bindsOf(pod: Pod, container: Container): Bind[] {
    return (container.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly = false }) => {
      const volume = pod.spec.volumes?.find((candidate) => candidate.name === name);
      if (volume === undefined) throw new NotAvailable(`there is no volume ${name}`);
      const isOwn = volume.emptyDir !== undefined;
      const source = join(this.#folder, name, subPath ?? '');
      if (isOwn && subPath !== undefined) mkdirSync(source, { recursive: true });
      return { source, target: mountPath, readOnly: readOnly || !isOwn };
    });
  }
}
