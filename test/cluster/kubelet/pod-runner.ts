import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../../src/kube/client.ts';
import { inContainer } from './container-root.ts';
import { ContainerRunner, type Prepared, type RestartPolicy, seconds } from './container-runner.ts';
import { NotAvailable, type Place } from './downward.ts';
import { environmentOf } from './environment.ts';
import { expand } from './expand.ts';
import { imageOf } from './images.ts';
import { networkFiles } from './network-files.ts';
import type { Objects } from './objects.ts';
import type { Container, Pod } from './pod-object.ts';
import { podStatus } from './pod-status.ts';
import type { StatusWriter } from './status-writer.ts';
import { Tokens } from './tokens.ts';
import { Volumes } from './volumes.ts';

const RETRY_MILLISECONDS = 500;

export type PodRunnerOptions = {
  readonly pod: Pod;
  readonly place: Place;
  readonly client: Client;
  readonly objects: Objects;
  /** A folder of the pod's own. */
  readonly folder: string;
  readonly status: StatusWriter;
};

/** Runs one pod from its binding to a node until it is deleted. */
export class PodRunner {
  pod: Pod;
  readonly #options: PodRunnerOptions;
  readonly #init: readonly ContainerRunner[];
  readonly #main: readonly ContainerRunner[];
  readonly #volumes: Volumes;
  readonly #tokens: Tokens;
  readonly #startTime = seconds(new Date());
  readonly #stopping = new AbortController();
  #isInitialized = false;
  #isOver = false;
  #running: Promise<void> | undefined;

  constructor(options: PodRunnerOptions) {
    const { pod, folder, client } = options;
    this.#options = options;
    this.pod = pod;
    this.#volumes = new Volumes(join(folder, 'volumes'));
    this.#tokens = new Tokens(client);
    const { restartPolicy = 'Always', initContainers = [], containers } = pod.spec;
    const forInit = restartPolicy === 'Always' ? 'OnFailure' : restartPolicy;
    this.#init = initContainers.map((container) => this.#runner(container, forInit));
    this.#main = containers.map((container) => this.#runner(container, restartPolicy));
  }

  /** Begins to run the pod; to be called once. */
  start(): void {
    this.#running = this.#run();
  }

  /** The container of that name; init containers among them. */
  container(name: string): ContainerRunner | undefined {
    return [...this.#init, ...this.#main].find(({ container }) => container.name === name);
  }

  /** The pod's object has changed. */
  update(pod: Pod): void {
    this.pod = pod;
    this.refreshVolumes();
    if (pod.spec.readinessGates !== undefined) this.#report();
  }

  /** Something that volumes are made of may have changed. */
  refreshVolumes(): void {
    if (this.#isInitialized || this.#isOver) {
      this.#refresh().catch((error: unknown) => {
        // A kubelet keeps the last good files, too.
        if (!(error instanceof NotAvailable)) process.stderr.write(`volumes of ${this.pod.metadata.name}: ${error}\n`);
      });
    }
  }

  /** Ends all containers within their grace and takes the pod's files away. */
  async stop(graceSeconds: number): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#init, ...this.#main].map((runner) => runner.stop(graceSeconds)));
    await this.#running;
    this.#isOver = true;
    this.#report();
    await this.#options.status.settled(this.pod);
    rmSync(join(this.#options.folder, 'volumes'), { recursive: true, force: true });
  }

  async #run(): Promise<void> {
    this.#report();
    if (!(await this.#volumesReady())) return;
    for (const runner of this.#init) {
      await runner.run();
      const done = 'terminated' in runner.state && runner.state.terminated.exitCode === 0;
      if (!done) return this.#over();
    }
    this.#isInitialized = true;
    await Promise.all(this.#main.map((runner) => runner.run()));
    this.#over();
  }

  #over(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isOver = true;
    this.#report();
  }

  async #volumesReady(): Promise<boolean> {
    while (!this.#stopping.signal.aborted) {
      try {
        checkSupported(this.pod);
        await this.#refresh();
        return true;
      } catch (error) {
        if (!(error instanceof NotAvailable)) process.stderr.write(`volumes of ${this.pod.metadata.name}: ${error}\n`);
        const message = error instanceof Error ? error.message : String(error);
        for (const runner of this.#main) runner.state = { waiting: { reason: 'ContainerCreating', message } };
        this.#report();
      }
      await sleep(RETRY_MILLISECONDS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
    return false;
  }

  #refresh(): Promise<void> {
    const { place, objects } = this.#options;
    return this.#volumes.refresh({ pod: this.pod, place, objects, tokens: this.#tokens });
  }

  #runner(container: Container, restartPolicy: RestartPolicy): ContainerRunner {
    const folder = join(this.#options.folder, container.name);
    const runner = new ContainerRunner({
      container,
      restartPolicy,
      prepare: () => this.#prepare(container, join(folder, 'root')),
      logFile: (run) => join(folder, `${run}.log`),
      onChange: () => this.#report(),
    });
    runner.setGrace(this.pod.spec.terminationGracePeriodSeconds ?? 30);
    return runner;
  }

  #prepare(container: Container, folder: string): Prepared {
    const { place, objects } = this.#options;
    const env = environmentOf(this.pod, container, place, objects);
    const { command = imageOf(container.image)?.entrypoint ?? [], args = [] } = container;
    const root = {
      folder,
      hostname: this.pod.metadata.name.slice(0, 63),
      readOnly: container.securityContext?.readOnlyRootFilesystem === true,
      workingDir: container.workingDir ?? '/',
      binds: [...this.#volumes.bindsOf(this.pod, container), ...networkFiles(this.#options.folder, this.pod, place)],
    };
    const words = [...command, ...args].map((word) => expand(word, env));
    return { command: inContainer(root, words), env, podIP: place.podIP };
  }

  #report(): void {
    const { place, status } = this.#options;
    status.write(this.pod, () =>
      podStatus(
        {
          pod: this.pod,
          place,
          startTime: this.#startTime,
          init: this.#init,
          main: this.#main,
          isInitialized: this.#isInitialized,
          isOver: this.#isOver,
        },
        seconds(new Date()),
      ),
    );
  }
}

function checkSupported({ spec }: Pod): void {
  if (spec.hostNetwork) throw new NotAvailable('hostNetwork is not known to this kubelet');
  const sidecar = spec.initContainers?.find(({ restartPolicy }) => restartPolicy !== undefined);
  if (sidecar !== undefined) throw new NotAvailable(`${sidecar.name}: sidecars are not known to this kubelet`);
}
