{{/* bongsu.yaml as a dict in JSON. */}}
{{- define "bongsu.settings" -}}
{{- $v := .Values -}}
{{- $root := include "bongsu.rootfs" . -}}
{{- $collectors := dict -}}
{{- if eq $v.gpu.access "none" -}}
{{- $_ := merge $collectors (dict "gpu" false "gpu_process" false) -}}
{{- else -}}
{{- $gpu := dict -}}
{{- with $v.gpu.devices -}}
{{- $_ := set $gpu "devices" (join "," .) -}}
{{- $_ := set $collectors "gpu_process" (dict "devices" (join "," .)) -}}
{{- end -}}
{{- with int $v.gpu.count -}}{{- $_ := set $gpu "count" . -}}{{- end -}}
{{- with $gpu -}}{{- $_ := set $collectors "gpu" . -}}{{- end -}}
{{- end -}}
{{- if ne $root "true" -}}
{{- $_ := set $collectors "filesystem" false -}}
{{- end -}}
{{- if not $v.hostNetwork -}}
{{- range list "arp" "conntrack" "netdev" "netstat" "nfs" "nfsd" "sockstat" "softnet" "tcpstat" "udp_queues" "uname" -}}
{{- $_ := set $collectors . false -}}
{{- end -}}
{{- end -}}
{{- $settings := dict
  "paths" (dict "procfs" "/host/proc" "sysfs" "/host/sys" "rootfs" (ternary "/host/root" "/" (eq $root "true")))
  "owners" (dict "kubelet" (or $v.permissions.kubelet $v.permissions.podLogs) "environment" $v.permissions.processIo)
  "collectors" $collectors
-}}
{{- if ne $v.mode "cronjob" -}}
{{- $_ := set $settings "port" $v.port -}}
{{- with include "bongsu.interval" . -}}{{- $_ := set $settings "interval" . -}}{{- end -}}
{{- end -}}
{{- if eq $v.mode "daemonset" -}}
{{- $_ := set $settings "host" $v.address -}}
{{- $_ := set $settings "web_config" "/auth/web.yml" -}}
{{- else if eq $v.mode "textfile" -}}
{{- $_ := set $settings "sinks" (dict "textfile" (printf "/textfile/%s" $v.textfile.name) "textfile_remove" true) -}}
{{- end -}}
{{- mergeOverwrite $settings (deepCopy $v.settings) | toJson -}}
{{- end -}}

{{/* Where the pod may run: on one node, or as the values say. */}}
{{- define "bongsu.place" -}}
{{- $v := .root.Values }}
{{- with $v.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .node }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchFields:
            - key: metadata.name
              operator: In
              values: [{{ .node | quote }}]
{{- else }}
{{- with $v.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What removes the file of mode cronjob; all else of the release has gone by then. */}}
{{- define "bongsu.remover" -}}
{{- $v := .root.Values -}}
{{- $user := include "bongsu.user" .root | int -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 1
{{- with $v.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  seccompProfile:
    type: RuntimeDefault
  {{- with $v.seLinuxOptions }}
  seLinuxOptions: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- include "bongsu.place" . }}
containers:
  - name: remove
    image: {{ printf "%s:%s" $v.image.repository (default .root.Chart.AppVersion $v.image.tag) | quote }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    command: ["sh", "-c", {{ printf "sleep 10; rm -f /textfile/%s" $v.textfile.name | quote }}]
    resources:
      limits: {cpu: 50m, memory: 16Mi}
    securityContext:
      privileged: false
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      runAsNonRoot: {{ ne $user 0 }}
      runAsUser: {{ $user }}
      runAsGroup: {{ $user }}
      capabilities:
        drop: [ALL]
    volumeMounts:
      - {name: textfile, mountPath: /textfile}
volumes:
  - name: textfile
    hostPath: {path: {{ $v.textfile.directory | quote }}, type: DirectoryOrCreate}
{{- end -}}

{{/* The pod's spec without what differs by mode. Takes root, command, node (a name or ""), long (whether it stays). */}}
{{- define "bongsu.pod" -}}
{{- $v := .root.Values -}}
{{- $user := include "bongsu.user" .root | int -}}
{{- $rootfs := eq (include "bongsu.rootfs" .root) "true" -}}
{{- $serves := eq $v.mode "daemonset" -}}
serviceAccountName: {{ include "bongsu.fullname" .root }}
automountServiceAccountToken: false  # nothing is asked of the API server
enableServiceLinks: false
hostPID: true  # the driver and /proc name processes by the node's numbers; they are meaningless in a namespace of its own
hostNetwork: {{ $v.hostNetwork }}
{{- if $v.hostNetwork }}
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- if ne $v.gpu.access "none" }}
{{- if and (eq $v.gpu.access "runtime") $v.gpu.runtimeClassName }}
runtimeClassName: {{ $v.gpu.runtimeClassName }}
{{- end }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $v.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: 10
securityContext:
  seccompProfile:
    type: RuntimeDefault
  {{- if and $v.permissions.processIo (semverCompare ">=1.30-0" .root.Capabilities.KubeVersion.Version) }}
  appArmorProfile:  # the usual one forbids to look at processes outside it
    type: Unconfined
  {{- end }}
  {{- with $v.seLinuxOptions }}
  seLinuxOptions: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- include "bongsu.place" . }}
containers:
  - name: bongsu
    image: {{ printf "%s:%s" $v.image.repository (default .root.Chart.AppVersion $v.image.tag) | quote }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    command: {{ toJson .command }}
    {{- if ne $v.gpu.access "none" }}
    env:
      - name: NVIDIA_VISIBLE_DEVICES
        value: {{ ternary "all" "void" (eq $v.gpu.access "runtime") }}
      - name: NVIDIA_DRIVER_CAPABILITIES
        value: utility  # the library that reads; no CUDA
      {{- if $v.gpu.mig }}
      - name: NVIDIA_MIG_MONITOR_DEVICES
        value: all
      {{- end }}
    {{- end }}
    resources: {{- mergeOverwrite (deepCopy $v.resources) (deepCopy $v.collection.resources) | toYaml | nindent 6 }}
    securityContext:
      privileged: false
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      runAsNonRoot: {{ ne $user 0 }}
      runAsUser: {{ $user }}
      runAsGroup: {{ $user }}
      capabilities:
        drop: [ALL]
        {{- if or $v.gpu.mig $v.permissions.processIo }}
        add:
          {{- if $v.gpu.mig }}
          - SYS_ADMIN  # NVIDIA's runtime asks for it before it lets a pod watch the instances of divided GPUs
          {{- end }}
          {{- if $v.permissions.processIo }}
          - SYS_PTRACE  # /proc/PID/io and environ of other users
          {{- end }}
        {{- end }}
    {{- if .long }}
    {{- if $serves }}
    ports:
      - name: metrics
        containerPort: {{ $v.port }}
    readinessProbe:
      tcpSocket:
        port: metrics
      periodSeconds: 10
    {{- end }}
    # Any answer tells that it lives, also one that asks for a password; a hung one gives none.
    {{- $scheme := ternary "HTTPSConnection('127.0.0.1', %d, timeout=8, context=ssl._create_unverified_context())" "HTTPConnection('127.0.0.1', %d, timeout=8)" (and $serves $v.auth.tls) }}
    {{- $code := printf (print "import http.client, ssl; c = http.client." $scheme "; c.request('GET', '/-/healthy'); c.getresponse()") (int $v.port) }}
    startupProbe:
      exec:
        command: {{ list "python" "-c" $code | toJson }}
      periodSeconds: 10
      timeoutSeconds: 10
      failureThreshold: 12
    livenessProbe:
      exec:
        command: {{ list "python" "-c" $code | toJson }}
      periodSeconds: 60
      timeoutSeconds: 10
    {{- end }}
    {{- /* What is mounted in a read-only directory is read-only too: /sys/fs/cgroup is, in /sys. */}}
    {{- $ro := ternary "readOnly: true, recursiveReadOnly: IfPossible" "readOnly: true" (semverCompare ">=1.31-0" .root.Capabilities.KubeVersion.Version) }}
    volumeMounts:
      - {name: config, mountPath: /config, readOnly: true}
      {{- if $serves }}
      - {name: auth, mountPath: /auth, readOnly: true}
      {{- else }}
      - {name: textfile, mountPath: /textfile}
      {{- end }}
      - {name: proc, mountPath: /host/proc, {{ $ro }}}
      - {name: sys, mountPath: /host/sys, {{ $ro }}}
      {{- if $rootfs }}
      - {name: root, mountPath: /host/root, readOnly: true, mountPropagation: HostToContainer}
      {{- else }}
      - {name: passwd, mountPath: /etc/passwd, readOnly: true}
      - {name: os-release, mountPath: /etc/os-release, readOnly: true}
      - {name: udev, mountPath: /run/udev/data, {{ $ro }}}
      {{- if $v.permissions.podLogs }}
      - {name: pod-logs, mountPath: /var/log/pods, {{ $ro }}}
      - {name: container-logs, mountPath: /var/log/containers, {{ $ro }}}
      {{- end }}
      {{- if $v.permissions.kubelet }}
      - {name: pod-resources, mountPath: /var/lib/kubelet/pod-resources, {{ $ro }}}
      {{- if semverCompare ">=1.36-0" .root.Capabilities.KubeVersion.Version }}
      - {name: pods-api, mountPath: /var/lib/kubelet/pods-api, {{ $ro }}}
      {{- end }}
      {{- end }}
      {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "bongsu.fullname" .root }}
  {{- if $serves }}
  - name: auth
    secret:
      secretName: {{ include "bongsu.secret" .root }}
      defaultMode: {{ ternary 256 292 (eq $user 0) }}  # 0400; 0444 where the pod is not root
  {{- else }}
  - name: textfile
    hostPath: {path: {{ $v.textfile.directory | quote }}, type: DirectoryOrCreate}
  {{- end }}
  - name: proc
    hostPath: {path: /proc, type: Directory}
  - name: sys
    hostPath: {path: /sys, type: Directory}
  {{- if $rootfs }}
  - name: root
    hostPath: {path: /, type: Directory}
  {{- else }}
  - name: passwd
    hostPath: {path: /etc/passwd, type: File}
  - name: os-release
    hostPath: {path: /etc/os-release, type: File}
  - name: udev
    hostPath: {path: /run/udev/data, type: Directory}
  {{- if $v.permissions.podLogs }}
  - name: pod-logs
    hostPath: {path: /var/log/pods, type: Directory}
  - name: container-logs
    hostPath: {path: /var/log/containers, type: Directory}
  {{- end }}
  {{- if $v.permissions.kubelet }}
  - name: pod-resources
    hostPath: {path: {{ printf "%s/pod-resources" $v.kubelet.directory | quote }}, type: Directory}
  {{- if semverCompare ">=1.36-0" .root.Capabilities.KubeVersion.Version }}
  - name: pods-api  # older kubelets have none, and a missing directory would keep the pod from starting
    hostPath: {path: {{ printf "%s/pods-api" $v.kubelet.directory | quote }}, type: DirectoryOrCreate}
  {{- end }}
  {{- end }}
  {{- end }}
{{- end -}}
