import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { stringAt } from '../json/value.ts';
import { type Context, newCommand, positiveNumber, withExamples } from './command.ts';
import { releaseCommands } from './release/commands.ts';

/**
 * The commands, their flags and their help. Each is carried out by a module of its own, which is loaded when it is
 * called: `lint` waits neither for express nor for the script engine.
 */
export function buildProgram(context: Context): Command {
  const { surroundings, terminal } = context;
  const program = new Command(surroundings.programName)
    .description('Progressive delivery for Kubernetes, done at admission: steer releases, check them, serve them.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .showHelpAfterError(`Run it with --help for its flags and examples.`)
    .configureOutput({
      writeOut: (text) => terminal.out.write(text),
      writeErr: (text) => terminal.err.write(text),
      getOutHasColors: () => terminal.out.colors,
      getErrHasColors: () => terminal.err.colors,
      outputError: (text, write) => write(terminal.err.paint('red', text)),
    })
    .configureHelp({ styleTitle: (text) => terminal.out.paint('bold', text) });
  for (const command of releaseCommands(context, program)) program.addCommand(command);
  for (const command of [
    previewCommand,
    lintCommand,
    luaCommand,
    serveCommand,
    webhookCommand,
    controllerCommand,
    certsCommand,
    demoCommand,
  ]) {
    program.addCommand(command(context, program));
  }
  return withExamples(program, context, [
    'get -A',
    'status web --watch',
    'preview -f rollout.yaml -f gateway/',
    'lint -f manifests/',
    'lua test lua-scripts',
    'certs',
    'serve',
  ]);
}

function previewCommand(context: Context, program: Command): Command {
  const command = newCommand('preview', program)
    .summary('show what each step of a release makes of the gateway objects')
    .description(
      'Show what a release makes of the gateway objects, step by step, and what is restored at its end. Rollouts, the objects that they name and the ConfigMap with scripts may come in any mix of files.',
    )
    .addOption(filenames())
    .option('--step <n>', 'only this step, counted from 1', positiveNumber)
    .addOption(
      new Option('-o, --output <format>', 'changes, or whole objects')
        .choices(['diff', 'yaml', 'json'])
        .default('diff'),
    )
    .action(async (options) => {
      const { preview } = await import('./preview.ts');
      context.done(await preview(options, context.terminal, context.surroundings));
    });
  return withExamples(command, context, [
    'preview -f rollout.yaml -f virtualservice.yaml',
    'preview -f manifests/ --step 1 -o yaml',
    'preview -f - -o json < all.yaml',
  ]);
}

function lintCommand(context: Context, program: Command): Command {
  const command = newCommand('lint', program)
    .summary('find mistakes in manifests, without a cluster')
    .description(
      'Find mistakes in manifests, without a cluster: in YAML, in the fields of Rollouts and TrafficRoutings, in what a Rollout means, in scripts that are missing. Each is a line file:line:column: field: message. The exit code is 1 when there are errors; warnings alone are fine.',
    )
    .addOption(filenames())
    .addOption(new Option('-o, --output <format>', 'lines, or a list').choices(['text', 'json']).default('text'))
    .action(async (options) => {
      const { lint } = await import('./lint.ts');
      context.done(await lint(options, context.terminal, context.surroundings));
    });
  return withExamples(command, context, ['lint -f rollout.yaml', 'lint -f manifests/ -o json', 'lint -f - < all.yaml']);
}

function luaCommand(context: Context, program: Command): Command {
  const lua = newCommand('lua', program)
    .summary('test and run traffic scripts')
    .description('Test and run traffic scripts, in the engine and with the limits that admission has.');
  lua.addCommand(luaTestCommand(context, program));
  lua.addCommand(luaRunCommand(context, program));
  return withExamples(lua, context, ['lua test', 'lua run --help']);
}

function luaTestCommand(context: Context, program: Command): Command {
  const command = newCommand('test', program)
    .summary('run the cases of scripts')
    .description(
      'Run the cases of scripts: <group>/<Kind>/trafficRouting.lua with cases in testdata beside it, ingress/<class>.lua with cases in testdata/<class>. The exit code is 1 on a failure, a script without cases, and on no case at all.',
    )
    .argument('[folder...]', 'folders with scripts (default: lua-scripts)')
    .action(async (folders: string[]) => {
      const { luaTest } = await import('./lua-test.ts');
      context.done(luaTest(folders, context.terminal));
    });
  return withExamples(command, context, ['lua test', 'lua test my-scripts/networking.istio.io/VirtualService']);
}

function luaRunCommand(context: Context, program: Command): Command {
  const command = newCommand('run', program)
    .summary('run one script once')
    .description(
      'Run one script once, as a step of a release does, and print the object that it makes. What the script prints goes to standard error.',
    )
    .requiredOption('--script <file>', 'the Lua script')
    .requiredOption('--object <file>', 'the object, for an Ingress class the stable Ingress')
    .requiredOption('--rollout <file>', 'a Rollout that names the object')
    .requiredOption('--step <n>', 'the step, counted from 1', positiveNumber)
    .action(async (options) => {
      const { luaRun } = await import('./lua-run.ts');
      context.done(luaRun(options, context.terminal));
    });
  return withExamples(command, context, [
    'lua run --script trafficRouting.lua --object virtualservice.yaml --rollout rollout.yaml --step 1',
  ]);
}

function serveCommand(context: Context, program: Command): Command {
  const command = newCommand('serve', program)
    .summary('serve the webhook over HTTPS')
    .description(
      'Serve the webhook: over HTTPS the paths of admission and conversion, on a plain port /metrics, /healthz and /readyz. SIGTERM and Ctrl-C finish what runs, then end it; a second one ends it at once. A flag wins over its environment variable.',
    )
    .option('--host <address>', 'where HTTPS listens [SLUICE_HOST] (default: 0.0.0.0)')
    .option('--port <n>', 'HTTPS port, 0 for any [SLUICE_PORT] (default: 9443)')
    .option('--metrics-host <address>', 'where the plain port listens [SLUICE_METRICS_HOST] (default: 0.0.0.0)')
    .option('--metrics-port <n>', 'plain port, 0 for any [SLUICE_METRICS_PORT] (default: 8080)')
    .option(
      '--certs <folder>',
      'folder of tls.crt and tls.key, followed as they change [SLUICE_CERTS] (default: certs)',
    )
    .option(
      '--log-level <level>',
      'trace, debug, info, warn, error, fatal or silent [SLUICE_LOG_LEVEL] (default: info)',
    )
    .option(
      '--controller-user <name>',
      'who may change directives [SLUICE_CONTROLLER_USER] (default: system:serviceaccount:sluice-system:sluice-controller)',
    )
    .option('--drain <seconds>', 'how long to serve on after SIGTERM [SLUICE_DRAIN_SECONDS] (default: 0)')
    .option('--load <path...>', 'files or folders with Rollouts and script ConfigMaps to know without a cluster')
    .action(async (options) => {
      const { serve } = await import('./serve.ts');
      context.done(await serve(options, context.surroundings));
    });
  return withExamples(command, context, [
    'serve',
    'serve --certs /etc/sluice/certs --log-level warn',
    'serve --port 0 --metrics-port 0 --load rollout.yaml --load scripts.yaml',
  ]);
}

function webhookCommand(context: Context, program: Command): Command {
  const command = newCommand('webhook', program)
    .summary('serve the webhook in a cluster')
    .description(
      'Serve the webhook in a cluster: as `serve`, with Rollouts, pinned scripts and the serving certificate read from the cluster. The Helm chart runs it; by hand it takes a kubeconfig with the rights of the service account sluice-webhook.',
    )
    .option('--host <address>', 'where HTTPS listens [SLUICE_HOST] (default: 0.0.0.0)')
    .option('--port <n>', 'HTTPS port, 0 for any [SLUICE_PORT] (default: 9443)')
    .option('--drain <seconds>', 'how long to serve on after SIGTERM [SLUICE_DRAIN_SECONDS] (default: 0)')
    .action(async (options) => {
      const { webhook } = await import('./webhook.ts');
      context.done(await webhook(options, context.surroundings));
    });
  return withExamples(inCluster(command), context, [
    'webhook',
    'webhook --kubeconfig ~/.kube/config --namespace sluice-system',
  ]);
}

function controllerCommand(context: Context, program: Command): Command {
  const command = newCommand('controller', program)
    .summary('run the controller in a cluster')
    .description(
      'Run the controller in a cluster: one process leads, the others wait for its Lease. It keeps the certificates and webhook configurations, judges Rollouts and prepares their workloads. The Helm chart runs it; by hand it takes a kubeconfig with the rights of the service account sluice-controller.',
    )
    .action(async (options) => {
      const { controller } = await import('./controller.ts');
      context.done(await controller(options, context.surroundings));
    });
  return withExamples(inCluster(command), context, [
    'controller',
    'controller --kubeconfig ~/.kube/config --namespace sluice-system',
  ]);
}

/** The flags of everything that runs in a cluster. */
function inCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', "the cluster [KUBECONFIG] (default: the pod's service account, else ~/.kube/config)")
    .option('--namespace <name>', 'where Sluice is installed [SLUICE_NAMESPACE] (default: sluice-system)')
    .option(
      '--certs <folder>',
      "cert-manager's tls.crt, tls.key and ca.crt [SLUICE_CERTS] (default: Sluice keeps its own)",
    )
    .option('--metrics-host <address>', 'where the plain port listens [SLUICE_METRICS_HOST] (default: 0.0.0.0)')
    .option('--metrics-port <n>', 'plain port, 0 for any [SLUICE_METRICS_PORT] (default: 8080)')
    .option(
      '--log-level <level>',
      'trace, debug, info, warn, error, fatal or silent [SLUICE_LOG_LEVEL] (default: info)',
    );
}

function certsCommand(context: Context, program: Command): Command {
  const command = newCommand('certs', program)
    .summary('make certificates for this machine')
    .description('Make a certificate authority and a serving certificate that it signs, for `serve` on this machine.')
    .option('--dir <folder>', 'where the files go', 'certs')
    .option('--host <name...>', 'DNS names and addresses to serve under', ['localhost', '127.0.0.1', '::1'])
    .option('--days <n>', 'how long they are valid', positiveNumber, 365)
    .option('--force', 'write over files that are there', false)
    .action(async (options) => {
      const { certs } = await import('./certs.ts');
      context.done(await certs(options, context.terminal));
    });
  return withExamples(command, context, ['certs', 'certs --dir /tmp/certs --host webhook.test --days 7']);
}

function demoCommand(context: Context, program: Command): Command {
  const command = newCommand('demo', program)
    .summary('play a whole release against the webhook on this machine')
    .description(
      'Play a whole release against the webhook on this machine: it is started on a free port, and gets the reviews that an API server would send. The exit code is 1 when a check fails.',
    )
    .action(async () => {
      const { demo } = await import('./demo/command.ts');
      context.done(await demo(context.terminal, new Date()));
    });
  return withExamples(command, context, ['demo', 'demo | less -R']);
}

function filenames(): Option {
  return new Option('-f, --filename <path...>', 'files, folders, or - for standard input').makeOptionMandatory();
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return stringAt(JSON.parse(text), 'version') ?? 'unknown';
}
