{{/* Labels of every object. Input: the root context. */}}
{{- define "sluice.labels" -}}
{{ include "sluice.selector" (dict "component" .component) }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that select the pods of one half: there is one Sluice in a cluster, so its release is no part of them. */}}
{{- define "sluice.selector" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "sluice.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* What every process gets from its pod; both servers listen on the pod's address, whichever family it is of. */}}
{{- define "sluice.environment" -}}
- name: SLUICE_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: SLUICE_POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: SLUICE_METRICS_HOST
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: SLUICE_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: SLUICE_FAILURE_POLICY_GATEWAYS
  value: {{ .Values.failurePolicy.gateways }}
- name: SLUICE_FAILURE_POLICY_WORKLOADS
  value: {{ .Values.failurePolicy.workloads }}
- name: SLUICE_FAILURE_POLICY_PODS
  value: {{ .Values.failurePolicy.pods }}
{{- if eq .Values.certificates.mode "cert-manager" }}
- name: SLUICE_CERTS
  value: /certs
{{- end }}
{{- end }}

{{- define "sluice.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "sluice.podSecurity" -}}
runAsNonRoot: true
{{- /* OpenShift gives each namespace a range of its own, and refuses others. */}}
{{- if not (.Capabilities.APIVersions.Has "security.openshift.io/v1") }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "sluice.containerSecurity" -}}
runAsNonRoot: true
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
privileged: false
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Spread over nodes and zones where there are some; a cluster of one node still runs everything. */}}
{{- define "sluice.placement" -}}
affinity:
  {{- with .values.affinity }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "sluice.selector" . | nindent 14 }}
  {{- end }}
topologySpreadConstraints:
  {{- with .values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "sluice.selector" $ | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end }}

{{/* What the values say about the pods of one half. Input: root, values of the half. */}}
{{- define "sluice.podSettings" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels and annotations of the pods of one half. Input: root, component, values of the half. */}}
{{- define "sluice.podMetadata" -}}
labels:
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "sluice.labels" . | nindent 2 }}
{{- with .values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
