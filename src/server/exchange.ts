import { type Answer, fail } from '../admission/answer.ts';
import { type ConversionAnswer, type ConversionRequest, readConversion } from '../admission/conversion.ts';
import { type AdmissionRequest, readRequest } from '../admission/request.ts';
import type { AdmissionRoute, ConversionRoute } from '../admission/route.ts';
import { member, stringAt } from '../json/value.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { Problem } from './problem.ts';
import { readReview, renderAnswer, renderConversion, renderMalformed } from './review.ts';

/** What is told about each request. */
export type Exchange = { readonly log: Log; readonly metrics: Metrics };

/**
 * The text of an AdmissionReview → the text of its answer.
 * @param started when the request began, of `performance.now()`.
 * @throws Problem for what cannot be answered as a review.
 */
export async function answerAdmission(
  exchange: Exchange,
  route: AdmissionRoute,
  text: string,
  bytes: number,
  started: number,
): Promise<string> {
  const envelope = member(readReview(text, 'AdmissionReview'), 'request');
  const reading = readRequest(envelope, bytes, Date.now());
  if (reading.reading === 'malformed') {
    const uid = stringAt(envelope, 'uid');
    if (uid === undefined || uid === '') throw new Problem('malformed', reading.message);
    exchange.log.warn({ uid, path: route.path, reason: reading.message }, 'malformed review');
    exchange.metrics.answered(route.path, '', 'malformed', (performance.now() - started) / 1000);
    return renderMalformed(uid, reading.message);
  }
  const { request } = reading;
  const answer = await judge(exchange, route, request);
  const milliseconds = performance.now() - started;
  exchange.metrics.answered(route.path, request.operation, answer.verdict, milliseconds / 1000);
  if (answer.about.failedScript !== undefined) exchange.metrics.scriptFailed(answer.about.failedScript);
  logAdmission(exchange.log, route.path, request, answer, milliseconds);
  const rendered = renderAnswer(request.uid, answer, route.failurePolicy, {
    group: request.kind.group,
    kind: request.kind.kind,
    name: request.name,
  });
  if ('problem' in rendered) throw rendered.problem;
  return rendered.body;
}

/** Runs the handler. What it throws is a fault of ours, logged here once; the writer learns that it was not theirs. */
async function judge({ log }: Exchange, route: AdmissionRoute, request: AdmissionRequest): Promise<Answer> {
  try {
    const answer = route.handle(request);
    return answer instanceof Promise ? await answer : answer;
  } catch (error) {
    log.error({ err: error, uid: request.uid, path: route.path }, 'admission failed');
    return fail('Sluice could not judge this write because of an error of its own; its log has the details');
  }
}

/** One line for each admission. Objects are for `trace` alone, and Secrets not even there. */
function logAdmission(log: Log, path: string, request: AdmissionRequest, answer: Answer, milliseconds: number): void {
  if (!log.isLevelEnabled('info')) return;
  // pino leaves out what is undefined.
  log.info(
    {
      uid: request.uid,
      path,
      kind: request.kind.kind,
      namespace: request.namespace,
      name: request.name,
      user: request.user.name,
      operation: request.operation,
      subresource: request.subresource === '' ? undefined : request.subresource,
      dryRun: request.dryRun,
      verdict: answer.verdict,
      rollout: answer.about.rollout,
      step: answer.about.step,
      failedScript: answer.about.failedScript,
      reason: 'message' in answer ? answer.message : undefined,
      warnings: answer.warnings.length === 0 ? undefined : answer.warnings,
      ms: Math.round(milliseconds * 1000) / 1000,
    },
    'admission',
  );
  if (!log.isLevelEnabled('trace') || request.kind.kind === 'Secret') return;
  log.trace({ uid: request.uid, object: request.object, oldObject: request.oldObject, answer }, 'admission objects');
}

/** The text of a ConversionReview → the text of its answer. @throws Problem as {@link answerAdmission}. */
export async function answerConversion(
  exchange: Exchange,
  route: ConversionRoute,
  text: string,
  started: number,
): Promise<string> {
  const envelope = member(readReview(text, 'ConversionReview'), 'request');
  const reading = readConversion(envelope);
  const uid = stringAt(envelope, 'uid') ?? '';
  let answer: ConversionAnswer;
  if (reading.reading === 'request') answer = await convert(exchange, route, reading.request);
  else if (uid !== '') answer = { verdict: 'failed', message: reading.message };
  else throw new Problem('malformed', reading.message);

  const milliseconds = performance.now() - started;
  exchange.metrics.answered(route.path, '', answer.verdict, milliseconds / 1000);
  const line = { uid, path: route.path, verdict: answer.verdict, ms: Math.round(milliseconds * 1000) / 1000 };
  if (answer.verdict === 'failed') exchange.log.warn({ ...line, reason: answer.message }, 'conversion');
  else exchange.log.debug({ ...line, objects: answer.objects.length }, 'conversion');
  return renderConversion(uid, answer);
}

async function convert(
  { log }: Exchange,
  route: ConversionRoute,
  request: ConversionRequest,
): Promise<ConversionAnswer> {
  try {
    return await route.handle(request);
  } catch (error) {
    log.error({ err: error, uid: request.uid, path: route.path }, 'conversion failed');
    return { verdict: 'failed', message: 'Sluice could not convert because of an error of its own; see its log' };
  }
}
