import { spawn } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { clusterEnvironment, runProgram } from './command.ts';
import { openExample } from './example.ts';
import { CHECKOUT, environment } from './settings.ts';
import { type ClusterFacts, startCluster } from './start.ts';

const NAMESPACE = 'sluice-system';
const CHART = join(CHECKOUT, 'chart');

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const TO_TRY = `
  kubectl get nodes,pods -A
  kubectl create deployment echo --image=echo --replicas=2     # answers on port 8080 of its pod IPs
  kubectl logs -l app=echo --prefix
  curl http://<pod IP>:8080/
  kubectl sluice --help
Images are "sluice" (this checkout) and "echo"; \`exit\` ends the cluster.
`;

const EXAMPLE_TO_TRY = `
  kubectl apply -f $EXAMPLE/canary.yaml              # a new version, which is held and released
  kubectl sluice status rollouts-demo --watch        # Ctrl-C ends it; the release goes on
  kubectl sluice approve rollouts-demo               # on to the next step
  kubectl apply -f $EXAMPLE/base.yaml                # or back
  kubectl get virtualservice,destinationrule -o yaml
\`exit\` ends the cluster.
`;

/** Whether Sluice is there in the end. */
async function installSluice(facts: ClusterFacts): Promise<boolean> {
  if (!existsSync(join(CHART, 'Chart.yaml'))) {
    say('There is no chart in this checkout: the cluster starts without Sluice.');
    return false;
  }
  say('installing Sluice …');
  const args = ['install', 'sluice', CHART, '--namespace', NAMESPACE, '--create-namespace', '--wait', '--timeout=90s'];
  const { exitCode, stderr } = await runProgram(facts, 'helm', args);
  if (exitCode !== 0) say(`helm install failed:\n${stderr}\nLook with: kubectl get pods -n ${NAMESPACE}`);
  return exitCode === 0;
}

function runCommand(
  command: readonly string[],
  facts: ClusterFacts,
  more: Readonly<Record<string, string>>,
): Promise<number> {
  const [program = environment['SHELL'] || 'sh', ...args] = command;
  const child = spawn(program, args, { stdio: 'inherit', env: { ...clusterEnvironment(facts), ...more } });
  process.on('SIGINT', () => undefined); // Ctrl-C is for the shell
  return new Promise((resolve) => {
    child.on('error', (error) => {
      say(error.message);
      resolve(127);
    });
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

async function main(args: readonly string[]): Promise<number> {
  const [first] = args;
  const command = first?.startsWith('--') ? args.slice(1) : args;
  say('starting the control plane …');
  const cluster = await startCluster();
  try {
    for (const name of ['sluice', 'kubectl-sluice']) {
      symlinkSync(join(CHECKOUT, 'bin/sluice.js'), join(cluster.facts.bin, name));
    }
    if (first !== '--without-sluice') await installSluice(cluster.facts);
    const hasExample = first === '--example';
    if (hasExample) say('opening the example …');
    const variables = hasExample ? await openExample(cluster.facts) : {};
    const toTry = hasExample ? EXAMPLE_TO_TRY : TO_TRY;
    if (command.length === 0) say(`A cluster for you, with its logs in ${cluster.facts.folder}. Try:${toTry}`);
    return await runCommand(command, cluster.facts, variables);
  } finally {
    await cluster.stop();
  }
}

process.exitCode = await main(process.argv.slice(2));
// What a stopped pod has left open must not keep the cluster's namespaces alive.
process.exit();
