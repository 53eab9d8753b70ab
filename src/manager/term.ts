import { type Controller, openController } from '../controller/controller.ts';
import { type Measuring, UNMEASURED } from '../controller/measuring.ts';
import { createIsolate } from '../isolate/isolate.ts';
import type { Client } from '../kube/client.ts';
import { Discovery } from '../kube/discovery.ts';
import { eventRecorder } from '../kube/events.ts';
import type { Library } from '../lua/library.ts';
import { keepRegistration, type Registration } from '../registration/keeper.ts';
import { neverMatched } from '../registration/namespaces.ts';
import { openCertificates } from './certificates.ts';
import { watchClusterView } from './cluster-view.ts';
import type { ManagerLog, ManagerSettings } from './manager.ts';
import { followRuleKinds } from './rule-kinds.ts';
import { openWatcher } from './watcher.ts';

export type TermParts = {
  /** Its writes are fenced by the Lease. */
  readonly client: Client;
  readonly settings: ManagerSettings;
  readonly library: Library;
  readonly log: ManagerLog;
  readonly measuring?: Measuring;
  /** Told of a fault of ours after which nothing can go on. */
  readonly onFault: (error: unknown) => void;
};

/** What a leader runs for as long as it leads. */
export type Term = {
  readonly controller: Controller;
  readonly registration: Registration;
  /** Stops everything; resolves when no write is under way. */
  close(): Promise<void>;
};

/** Milliseconds between two questions to a webhook what it serves. */
const ASK_INTERVAL = 10_000;

/**
 * Opens what only one process of a cluster may run:
 *
 * ```
 *  certificates ── trusted bundle ──► registration ──► webhook configurations, conversion of the CRDs
 *       ▲                               │     ▲
 *       └── in use, served ─────────────┘     │
 *  controller ── kinds that Rollouts name ────┘
 *       └──► conditions of Rollouts, pinned scripts, armed workloads
 * ```
 * @throws where a file of cert-manager is missing or wrong
 */
export function openTerm({ client, settings, library, log, measuring = UNMEASURED, onFault }: TermParts): Term {
  const { namespace } = settings;
  const onUnwatched = (reason: string) => log.warn({ reason }, 'a watch cannot be kept now');
  const view = watchClusterView(client, namespace, onUnwatched, onFault);
  const registration = keepRegistration({
    client,
    view,
    settings: {
      namespace,
      clusterRole: 'sluice-controller',
      failurePolicies: {
        gateway: settings.failurePolicies.gateways,
        workload: settings.failurePolicies.workloads,
        pod: settings.failurePolicies.pods,
      },
      excludedNamespaces: settings.excludedNamespaces,
      askInterval: ASK_INTERVAL,
    },
    onWrite: (object) => log.info({ object }, 'applied'),
    onRemark: (remark) => log.warn({}, remark),
    onProblem: (problem) => log.warn({ err: problem }, 'the webhook configurations cannot be kept now'),
  });
  const closeCertificates = openCertificates({ client, settings, registration, log, onUnwatched, onFault });
  const isolate = createIsolate();
  const discovery = new Discovery({ client });
  discovery.finished.catch(onFault);
  const events = eventRecorder(client, {
    reportingController: 'sluice.dev/controller',
    reportingInstance: settings.podName,
    onFailure: (error) => log.warn({ err: error }, 'Events cannot be written now'),
  });
  const controller = openController({
    api: client,
    watcher: openWatcher(client, discovery, onFault),
    library,
    guard: {
      excludedNamespaces: new Set(neverMatched(namespace, settings.excludedNamespaces)),
      calling: () => registration.state().calling,
      onCalling: (listener) => registration.onCalling(listener),
    },
    isolate,
    event: ({ apiVersion, kind, ...metadata }, text) => events.record({ apiVersion, kind, metadata }, text),
    log,
    measuring,
    namespace,
  });
  const stopKinds = followRuleKinds({
    controller,
    discovery,
    client,
    stored: () => registration.storedKinds(),
    onFault,
    setKinds(kinds) {
      for (const { kind, reason } of registration.setKinds(kinds)) log.warn({ kind }, `no webhook rule: ${reason}`);
    },
  });
  return {
    controller,
    registration,
    async close() {
      stopKinds();
      await Promise.all([controller.close(), registration.close(), closeCertificates()]);
      discovery.close();
      view.close();
      await events.close();
      await isolate.close();
    },
  };
}
