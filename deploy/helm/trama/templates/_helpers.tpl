{{- define "trama.name" -}}
{{ .Release.Name | trunc 48 | trimSuffix "-" }}
{{- end -}}

{{- define "trama.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* Called with the root and a component: api or worker. */ -}}
{{- define "trama.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "trama.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "trama.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "trama.name" .) }}
{{- end -}}

{{- /* The pod is killed after this: preStop, the whole drain, and the margin fit in, whatever they are set to. */ -}}
{{- define "trama.graceSeconds" -}}
{{ add (int .Values.preStopSeconds) (div (add (int .Values.config.runtime.drainTimeoutMillis) 999) 1000) (int .Values.graceMarginSeconds) }}
{{- end -}}

{{- define "trama.env" -}}
- name: TRAMA_CONFIG
  value: /etc/trama/trama.yaml
- name: REDIS_SHARDING_PODID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if .Values.secrets.database.name }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.database.name }}
      key: {{ .Values.secrets.database.urlKey }}
{{- end }}
{{- if and .Values.secrets.redis.name (eq .Values.config.redis.topology "STANDALONE") }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.redis.name }}
      key: {{ .Values.secrets.redis.urlKey }}
{{- end }}
{{- if and .Values.secrets.redis.name .Values.secrets.redis.passwordKey }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.redis.name }}
      key: {{ .Values.secrets.redis.passwordKey }}
{{- end }}
{{- if .Values.secrets.callbacks.name }}
- name: RUNTIME_CALLBACK_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.callbacks.name }}
      key: {{ .Values.secrets.callbacks.keysKey }}
{{- end }}
{{- if and .Values.secrets.auth.name .Values.config.security.auth.enabled }}
- name: SECURITY_AUTH_APIKEYS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.auth.name }}
      key: {{ .Values.secrets.auth.apiKeysKey }}
{{- end }}
{{- if .Values.secrets.calls.name }}
- name: SECRETS_DIR
  value: /etc/trama-secrets
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Called with the root, a component, and the path that says whether it is ready. */ -}}
{{- define "trama.pod" -}}
metadata:
  labels:
    {{- include "trama.selector" . | nindent 4 }}
  annotations:
    # Another configuration is another pod.
    checksum/config: {{ toYaml .root.Values.config | sha256sum }}
    {{- with .root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "trama.serviceAccount" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "trama.graceSeconds" .root }}
  securityContext:
    {{- toYaml .root.Values.podSecurityContext | nindent 4 }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .root.Values.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range .root.Values.topologySpread.topologyKeys }}
    - maxSkew: {{ $.root.Values.topologySpread.maxSkew }}
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $.root.Values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "trama.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: trama
      image: {{ include "trama.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [serve]
      env:
        - name: SERVER_HOST
          value: 0.0.0.0
        - name: RUNTIME_ENABLED
          value: {{ eq .component "worker" | quote }}
        # Workers get no requests: they answer for their health and with metrics, and for nothing else.
        - name: SERVER_API
          value: {{ eq .component "api" | quote }}
        {{- include "trama.env" .root | nindent 8 }}
      ports:
        - name: http
          containerPort: {{ .root.Values.config.server.port }}
      securityContext:
        {{- toYaml .root.Values.containerSecurityContext | nindent 8 }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .root.Values.preStopSeconds }}
      startupProbe:
        httpGet:
          path: /healthz
          port: http
          scheme: {{ .root.Values.probes.scheme }}
        {{- toYaml .root.Values.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet:
          path: /healthz
          port: http
          scheme: {{ .root.Values.probes.scheme }}
        {{- toYaml .root.Values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet:
          path: {{ .readyPath }}
          port: http
          scheme: {{ .root.Values.probes.scheme }}
        {{- toYaml .root.Values.probes.readiness | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/trama
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if .root.Values.secrets.calls.name }}
        - name: calls
          mountPath: /etc/trama-secrets
          readOnly: true
        {{- end }}
        {{- if .root.Values.secrets.tls.name }}
        - name: tls
          mountPath: /etc/trama-tls
          readOnly: true
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "trama.name" .root }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- if .root.Values.secrets.calls.name }}
    - name: calls
      secret:
        secretName: {{ .root.Values.secrets.calls.name }}
        defaultMode: 0440
    {{- end }}
    {{- if .root.Values.secrets.tls.name }}
    - name: tls
      secret:
        secretName: {{ .root.Values.secrets.tls.name }}
        defaultMode: 0440
    {{- end }}
{{- end -}}
