{{- define "bongsu.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* A name that must be cut ends in a hash, so that releases whose names differ at the end stay apart. */}}
{{- define "bongsu.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "bongsu.name" .) -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains (include "bongsu.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- if gt (len $name) 40 -}}
{{- $name = printf "%s-%s" ($name | trunc 31 | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "bongsu.selector" -}}
app.kubernetes.io/name: {{ include "bongsu.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "bongsu.labels" -}}
{{ include "bongsu.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The Secret with web.yml, username and password. */}}
{{- define "bongsu.secret" -}}
{{- default (printf "%s-web" (include "bongsu.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{/*
The Secret that the chart makes, as JSON: username, password, web.yml. What the cluster has is kept while it fits. Salt and
password are random, so it is made once in a rendering and kept among the values: the pod's checksum is of the same one.
That is of user and password, not of web.yml, whose salt is another each time nothing can be looked up. It is slow to
guess from, since everybody who sees pods sees it.
*/}}
{{- define "bongsu.access" -}}
{{- if not (hasKey .Values.auth "made") -}}
{{- $user := .Values.auth.username -}}
{{- $password := .Values.auth.password -}}
{{- $web := "" -}}
{{- with lookup "v1" "Secret" .Release.Namespace (include "bongsu.secret" .) -}}
{{- if and (eq (b64dec (get .data "username")) $user) (or (not $password) (eq (b64dec (get .data "password")) $password)) -}}
{{- $password = b64dec (get .data "password") -}}
{{- $web = b64dec (get .data "web.yml") -}}
{{- end -}}
{{- end -}}
{{- $password = default (randAlphaNum 32) $password -}}
{{- if not $web -}}
{{- $web = dict "basic_auth_users" (dict $user (htpasswd $user $password | trimPrefix (printf "%s:" $user))) | toYaml -}}
{{- end -}}
{{- $_ := set .Values.auth "made" (dict "username" $user "password" $password "web.yml" $web) -}}
{{- end -}}
{{- toJson .Values.auth.made -}}
{{- end -}}

{{/* User 0 for what only root may: the kubelet's sockets, the directory of textfiles, capabilities. */}}
{{- define "bongsu.user" -}}
{{- if or .Values.permissions.kubelet .Values.permissions.processIo .Values.gpu.mig -}}
0
{{- else if ne .Values.mode "daemonset" -}}
{{ int .Values.textfile.user }}
{{- else -}}
65532
{{- end -}}
{{- end -}}

{{/* "true" where the node's root file system is mounted. */}}
{{- define "bongsu.rootfs" -}}
{{- if eq (toString .Values.permissions.rootfs) "auto" -}}
{{ ne (include "bongsu.user" .) "0" }}
{{- else -}}
{{ .Values.permissions.rootfs }}
{{- end -}}
{{- end -}}

{{/* How often a file is written, for bongsu.yaml; "" for its default. */}}
{{- define "bongsu.interval" -}}
{{- if .Values.collection.schedule -}}
{{- if not (regexMatch `^\*(/([1-9]|[1-5][0-9]))? \* \* \* \*$` .Values.collection.schedule) -}}
{{- fail (printf "collection.schedule: %q is no even spacing; in mode %s write \"*/N * * * *\" or collection.interval, or choose mode: cronjob" .Values.collection.schedule .Values.mode) -}}
{{- end -}}
{{- printf "%sm" (regexFind `[1-9][0-9]?` .Values.collection.schedule | default "1") -}}
{{- else -}}
{{ .Values.collection.interval }}
{{- end -}}
{{- end -}}

{{/* When a CronJob runs. */}}
{{- define "bongsu.schedule" -}}
{{- if .Values.collection.interval -}}
{{- $minutes := 0 -}}
{{- if regexMatch `^[1-9][0-9]*m$` .Values.collection.interval -}}
{{- $minutes = trimSuffix "m" .Values.collection.interval | int -}}
{{- end -}}
{{- if or (lt $minutes 1) (gt $minutes 30) (ne (mod 60 (max $minutes 1)) 0) -}}
{{- fail (printf "collection.interval: %q cannot be said in cron's words; in mode cronjob it is one of 1m 2m 3m 4m 5m 6m 10m 12m 15m 20m 30m, or give collection.schedule" .Values.collection.interval) -}}
{{- end -}}
{{- printf "*/%d * * * *" $minutes -}}
{{- else -}}
{{ default "*/1 * * * *" .Values.collection.schedule }}
{{- end -}}
{{- end -}}

{{/* The nodes of mode cronjob, as JSON: those named, or those that nodeSelector picks now. */}}
{{- define "bongsu.nodes" -}}
{{- $found := .Values.nodes -}}
{{- if not $found -}}
{{- $found = list -}}
{{- range (lookup "v1" "Node" "" "").items -}}
{{- $labels := .metadata.labels -}}
{{- $fits := true -}}
{{- range $key, $value := $.Values.nodeSelector -}}
{{- if ne (get $labels $key) $value -}}{{- $fits = false -}}{{- end -}}
{{- end -}}
{{- if $fits -}}{{- $found = append $found .metadata.name -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $found | uniq | toJson -}}
{{- end -}}

{{/* What no schema can say. */}}
{{- define "bongsu.check" -}}
{{- if and .Values.collection.interval .Values.collection.schedule -}}
{{- fail "collection.interval and collection.schedule contradict each other: give one of them" -}}
{{- end -}}
{{- if and .Values.nodes (ne .Values.mode "cronjob") -}}
{{- fail (printf "nodes: only mode cronjob goes by names; mode %s runs where nodeSelector and affinity say" .Values.mode) -}}
{{- end -}}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" -}}
{{- if hasKey $.Values.podLabels $label -}}
{{- fail (printf "podLabels: %s is what the pods are found by; give other labels, or nameOverride" $label) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: every pod would be scraped twice; enable one of them" -}}
{{- end -}}
{{- if and (ne .Values.mode "daemonset") (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) -}}
{{- fail (printf "serviceMonitor.enabled, podMonitor.enabled: in mode %s nothing is served that could be scraped; node_exporter serves the file" .Values.mode) -}}
{{- end -}}
{{- if and (ne .Values.mode "daemonset") (ne (int .Values.textfile.user) 0) (eq (include "bongsu.user" .) "0") -}}
{{- fail "textfile.user: permissions.kubelet, permissions.processIo and gpu.mig need user 0, which without capabilities cannot write to another's directory; turn them off, or let root own textfile.directory" -}}
{{- end -}}
{{- if and .Values.auth.existingSecret .Values.auth.password -}}
{{- fail "auth.password: the users are those in the web.yml of auth.existingSecret; give one of the two" -}}
{{- end -}}
{{- if and .Values.auth.tls (not .Values.auth.existingSecret) -}}
{{- fail "auth.tls: the Secret that the chart makes has no certificate; give auth.existingSecret, with TLS in its web.yml" -}}
{{- end -}}
{{- if and (eq .Values.gpu.access "none") (or .Values.gpu.mig .Values.gpu.devices (gt (int .Values.gpu.count) 0)) -}}
{{- fail "gpu.access: none reads no GPU, but gpu.mig, gpu.devices or gpu.count ask for some; give runtime or cdi" -}}
{{- end -}}
{{- end -}}
