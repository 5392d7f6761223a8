{{- define "tenterhook.name" -}}{{ printf "%s-tenterhook" .Release.Name | trunc 60 | trimSuffix "-" }}{{- end }}
{{- define "tenterhook.selector" -}}
app.kubernetes.io/name: tenterhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "tenterhook.labels" -}}
{{ include "tenterhook.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
{{- define "tenterhook.check" -}}
{{- if not (has .Values.store.kind (list "sqlite" "postgres")) }}{{ fail "store.kind must be sqlite or postgres" }}{{ end }}
{{- if and (eq .Values.store.kind "sqlite") (or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled) }}{{ fail "several pods need store.kind postgres: a SQLite database belongs to one process" }}{{ end }}
{{- if and (eq .Values.store.kind "postgres") (not .Values.store.address) }}{{ fail "store.address is missing, such as postgres://tenterhook@db:5432/tenterhook" }}{{ end }}
{{- if regexMatch "^postgres(ql)?://[^@/]*:[^@/]*@" .Values.store.address }}{{ fail "store.address must not have a password: name a key of the Secret in secrets.storePassword" }}{{ end }}
{{- end }}
{{- define "tenterhook.pod" -}}
metadata:
  labels:
    {{- include "tenterhook.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - {name: {{ . }}}
    {{- end }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 65534
    runAsGroup: 65534
    fsGroup: 65534
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: tenterhook
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: ["--config", "/etc/tenterhook/tenterhook.yaml"]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      env:
        - {name: TENTERHOOK_ADMIN_KEY_FILE, value: /run/secrets/tenterhook/admin_key}
        - {name: TENTERHOOK_SECRET_KEY_FILE, value: /run/secrets/tenterhook/secret_key}
        {{- if .Values.secrets.storePassword }}
        - {name: TENTERHOOK_STORE_PASSWORD_FILE, value: /run/secrets/tenterhook/store_password}
        {{- end }}
        {{- if .Values.secrets.tracesHeaders }}
        - {name: TENTERHOOK_TRACES_HEADERS_FILE, value: /run/secrets/tenterhook/traces_headers}
        {{- end }}
      ports: [{name: http, containerPort: 8420}]
      startupProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1, failureThreshold: 120}
      readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 5, timeoutSeconds: 3}
      livenessProbe: {httpGet: {path: /livez, port: http}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        - {name: config, mountPath: /etc/tenterhook, readOnly: true}
        - {name: secrets, mountPath: /run/secrets/tenterhook, readOnly: true}
  volumes:
    - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
    {{- if eq .Values.store.kind "postgres" }}
    - {name: data, emptyDir: {sizeLimit: 256Mi}}
    {{- end }}
    - {name: config, configMap: {name: {{ include "tenterhook.name" . }}}}
    - name: secrets
      secret:
        secretName: {{ .Values.secrets.name }}
        defaultMode: 0440
        items:
          - {key: {{ .Values.secrets.adminKey }}, path: admin_key}
          - {key: {{ .Values.secrets.secretKey }}, path: secret_key}
          {{- with .Values.secrets.storePassword }}
          - {key: {{ . }}, path: store_password}
          {{- end }}
          {{- with .Values.secrets.tracesHeaders }}
          - {key: {{ . }}, path: traces_headers}
          {{- end }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "tenterhook.selector" . | nindent 10 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
